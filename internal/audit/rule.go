package audit

// Rule is one kind of finding.
type Rule struct {
	Code     string
	Severity Severity // of its findings, unless they have their own
	Title    string   // one line
	Help     string   // what it means and what to do
	check    func(*Facts) []Finding
	lockOnly bool
}

// rules returns all rules that judge facts.
func rules() []Rule {
	return append([]Rule{
		vulnerable, changed, vanished, yanked, status, noHash, weakHash, unfit, requiresPython, needsBuild, split, unmet, unwanted,
		unchecked,
	}, buildRules()...)
}

// Rules returns all rules of [Run], for documentation and SARIF.
func Rules() []Rule { return append(rules(), expired) }
