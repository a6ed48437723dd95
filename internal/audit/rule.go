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
	return []Rule{
		vulnerable, changed, vanished, yanked, status, noHash, weakHash, unfit, requiresPython, needsBuild, split, unmet, unwanted,
		unchecked,
	}
}

// Rules returns all rules, for documentation and SARIF.
func Rules() []Rule {
	out := append(rules(), expired)
	for _, r := range verifyRules() {
		out = append(out, r.Rule)
	}
	return out
}
