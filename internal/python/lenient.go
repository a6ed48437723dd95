package python

import "strings"

// ParseSpecifiersLenient reads a set as it is published: what ParseSpecifiers
// takes, and what it takes after the repairs of repairClause. Published files
// keep their faults for ever, and pip and uv install them.
func ParseSpecifiersLenient(s string) (Specifiers, error) {
	out, err := ParseSpecifiers(s)
	if err == nil {
		return out, nil
	}
	if repaired, ok := repairSpecifiers(s); ok {
		if out, again := ParseSpecifiers(repaired); again == nil {
			return out, nil
		}
	}
	return Specifiers{}, err
}

// ParseRequirementLenient reads a requirement as it is published: what
// ParseRequirement takes, and what it takes after repairing the specifiers.
func ParseRequirementLenient(s string) (Requirement, error) {
	out, err := ParseRequirement(s)
	if err == nil {
		return out, nil
	}
	if repaired, ok := repairRequirement(s); ok {
		if out, again := ParseRequirement(repaired); again == nil {
			return out, nil
		}
	}
	return Requirement{}, err
}

// repairRequirement repairs what stands between name, extras and marker.
func repairRequirement(s string) (repaired string, ok bool) {
	body, marker, _ := strings.Cut(s, ";")
	start := strings.IndexAny(body, "(<>=!~")
	if start < 0 || strings.Contains(body, "@") {
		return "", false
	}
	specifiers, ok := repairSpecifiers(body[start:])
	if !ok {
		return "", false
	}
	repaired = body[:start] + specifiers
	if trimSpace(marker) != "" {
		repaired += " ;" + marker
	}
	return repaired, true
}

// repairSpecifiers repairs the clauses of a set, which may lack the commas
// between them; ok is false if it does not look like a set at all.
func repairSpecifiers(s string) (repaired string, ok bool) {
	s = strings.Map(func(r rune) rune {
		if r == '\'' || r == '"' {
			return -1 // ">=3.6'", ">='2.7'"
		}
		return r
	}, s)
	s = trimSpace(s)
	if strings.HasPrefix(s, "(") {
		s = strings.TrimSuffix(s[1:], ")")
	}
	var clauses []string
	for s = strings.TrimLeft(s, ", \t"); s != ""; s = strings.TrimLeft(s, ", \t") {
		operator := len(s) - len(strings.TrimLeft(s, "<>=!~"))
		if operator == 0 {
			return "", false
		}
		end := len(s)
		if i := strings.IndexAny(s[operator:], ",<>=~"); i >= 0 {
			end = operator + i
		}
		if end < len(s) && s[end] == '=' && s[end-1] == '!' {
			end-- // the other exclamation mark is that of an epoch
		}
		clauses = append(clauses, repairClause(s[:operator], trimSpace(s[operator:end])))
		s = s[end:]
	}
	return strings.Join(clauses, ","), true
}

// repairClause repairs what is commonly wrong in published clauses.
func repairClause(operator, version string) string {
	version = strings.TrimRight(version, ".")
	switch operator {
	case "!=~": // "!=~5.0" was meant as != with a wildcard
		operator, version = "!=", strings.TrimSuffix(version, ".*")+".*"
	case "==", "!=": // "!=3.0*"
		if n := len(version) - 1; n > 0 && version[n] == '*' && isDigit(version[n-1]) {
			version = version[:n] + ".*"
		}
	case ">=", ">", "<=", "<", "~=": // ">=2.7.*"
		version = strings.TrimSuffix(strings.TrimSuffix(version, "*"), ".")
	}
	if operator == ">" && version == "dev" { // ">dev"
		version = "0.0.0dev"
	}
	// ">=9.0.0a1.0"
	if bare, ok := strings.CutSuffix(version, ".0"); ok {
		if v, valid := parseVersion(bare); valid && (v.IsPrerelease() || v.IsPostrelease()) {
			version = bare
		}
	}
	return operator + version
}
