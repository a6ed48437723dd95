package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// The part of SARIF 2.1.0 (OASIS, 2020) that an audit needs.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string              `json:"id"`
		Short         sarifText           `json:"shortDescription"`
		Help          sarifText           `json:"help"`
		HelpURI       string              `json:"helpUri,omitempty"`
		Configuration sarifConfiguration  `json:"defaultConfiguration"`
		Properties    sarifRuleProperties `json:"properties"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifRuleProperties struct {
		Tags []string `json:"tags"`
		// SecuritySeverity is how code scanning sorts: a CVSS score as text.
		SecuritySeverity string `json:"security-severity,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string              `json:"ruleId"`
		RuleIndex    int                 `json:"ruleIndex"`
		Level        string              `json:"level"`
		Message      sarifText           `json:"message"`
		Locations    []sarifLocation     `json:"locations"`
		Fingerprints map[string]string   `json:"partialFingerprints"`
		Suppressions []sarifSuppression  `json:"suppressions,omitempty"`
		Properties   sarifResultProperty `json:"properties"`
	}
	sarifResultProperty struct {
		Severity  string   `json:"severity"`
		Package   string   `json:"package,omitempty"`
		Version   string   `json:"version,omitempty"`
		Platforms []string `json:"platforms,omitempty"`
		Aliases   []string `json:"aliases,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// SARIF writes findings in the Static Analysis Results Interchange Format 2.1.0;
// ignored ones are there as suppressed. Each vulnerability is a rule of its own,
// since its severity is one of the rule there.
func SARIF(version string, open []Finding, ignored []Ignored) ([]byte, error) {
	w := sarifWriter{run: sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "distill", Version: version, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}}
	for i := range open {
		w.add(&open[i], nil)
	}
	for i := range ignored {
		w.add(&ignored[i].Finding, &ignored[i])
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{w.run},
	})
	return out.Bytes(), err
}

type sarifWriter struct{ run sarifRun }

func (w *sarifWriter) add(x *Finding, ignored *Ignored) {
	r := sarifResult{
		RuleID: x.sarifID(), RuleIndex: w.rule(x), Level: x.level(),
		Message:      sarifText{x.Sentence()},
		Fingerprints: map[string]string{"finding/v1": strings.Join([]string{x.ID, string(x.Package), x.Version}, " ")},
		Locations:    []sarifLocation{{sarifPhysical{Artifact: sarifArtifact{fileURI(x.Place.File)}}}},
		Properties: sarifResultProperty{
			Severity: x.Severity.String(), Package: string(x.Package), Version: x.Version, Platforms: x.Platforms, Aliases: x.Aliases,
		},
	}
	if x.Place.Line > 0 {
		r.Locations[0].Physical.Region = &sarifRegion{x.Place.Line}
	}
	if ignored != nil {
		r.Suppressions = []sarifSuppression{{Kind: "external", Justification: ignored.Reason}}
	}
	w.run.Results = append(w.run.Results, r)
}

// Sentence says the finding without its platform and place: "pandas 1.0: known
// vulnerability (PYSEC-1, CVE-2); upgrade to 2.0".
func (x *Finding) Sentence() string {
	who := strings.TrimSpace(string(x.Package) + " " + x.Version)
	if who != "" {
		who += ": "
	}
	ids := ""
	if x.Code == vulnerable.Code {
		ids = " (" + strings.Join(append([]string{x.ID}, x.Aliases...), ", ") + ")"
	}
	return who + x.Message + ids + "; " + x.Fix
}

func (x *Finding) sarifID() string {
	if x.Code == vulnerable.Code {
		return x.ID
	}
	return x.Code
}

// rule returns the index of the finding's rule, which it adds if needed.
func (w *sarifWriter) rule(x *Finding) int {
	rules := &w.run.Tool.Driver.Rules
	id := x.sarifID()
	if i := slices.IndexFunc(*rules, func(r sarifRule) bool { return r.ID == id }); i >= 0 {
		return i
	}
	all := append(Rules(), VerifyRules()...)
	of := all[slices.IndexFunc(all, func(r Rule) bool { return r.Code == x.Code })]
	r := sarifRule{
		ID: id, Short: sarifText{of.Title}, Help: sarifText{of.Help}, HelpURI: x.URL,
		Configuration: sarifConfiguration{x.level()}, Properties: sarifRuleProperties{Tags: []string{"python", "dependencies"}},
	}
	if x.Code == vulnerable.Code {
		r.Short.Text = x.Message
		r.Properties.Tags = append(r.Properties.Tags, "security", "vulnerability")
		r.Properties.SecuritySeverity = fmt.Sprintf("%.1f", x.securitySeverity())
	}
	*rules = append(*rules, r)
	return len(*rules) - 1
}

// securitySeverity is the score, or the middle of its class where there is only
// the class.
func (x *Finding) securitySeverity() float64 {
	if x.Score > 0 {
		return x.Score
	}
	return map[Severity]float64{Low: 2, Medium: 5.5, High: 8, Critical: 9.5, Unknown: 8}[x.Severity]
}

// level is one of SARIF's three.
func (x *Finding) level() string {
	switch {
	case x.Severity.AtLeast(High):
		return "error"
	case x.Severity == Medium:
		return "warning"
	}
	return "note"
}

// fileURI is a relative URI reference.
func fileURI(name string) string {
	u := url.URL{Path: strings.TrimPrefix(path.Clean(strings.ReplaceAll(name, `\`, "/")), "./")}
	if path.IsAbs(u.Path) {
		u.Scheme = "file"
	}
	return u.String()
}
