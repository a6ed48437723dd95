package python

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MarkerEnv holds the values of the environment markers of one target.
type MarkerEnv struct {
	OSName, SysPlatform, PlatformMachine, PlatformPythonImplementation string
	PlatformRelease, PlatformSystem, PlatformVersion                   string
	PythonVersion, PythonFullVersion                                   string
	ImplementationName, ImplementationVersion                          string
}

// MarkerEnvFor returns the markers of CPython of that version on Linux; arch is
// "x86_64", "aarch64" ... as uname tells it. Release and version of the system
// are empty: they belong to the machine that will run the image.
func MarkerEnvFor(python Version, arch string) MarkerEnv {
	// The number of parts is fixed: platform.python_version() is always 3.x.y.
	numbers := append(python.Release(), 0, 0, 0)
	short := fmt.Sprintf("%d.%d", numbers[0], numbers[1])
	full := fmt.Sprintf("%s.%d", short, numbers[2])
	if base, ok := strings.CutPrefix(python.Public().String(), python.Base().String()); ok {
		full += base
	}
	return MarkerEnv{
		OSName: "posix", SysPlatform: "linux", PlatformMachine: arch,
		PlatformPythonImplementation: "CPython", PlatformSystem: "Linux",
		PythonVersion: short, PythonFullVersion: full,
		ImplementationName: "cpython", ImplementationVersion: full,
	}
}

// Errors of evaluating a marker.
var (
	// ErrUndefinedComparison means that the marker compares what cannot be
	// compared, such as os_name ~= "posix".
	ErrUndefinedComparison = errors.New("undefined comparison")
	// ErrUnknownVariable means that the marker asks for a variable that has no
	// value here, such as extras outside a lock file.
	ErrUnknownVariable = errors.New("unknown marker variable")
)

// variable is a name that a marker can ask for.
type variable uint8

const (
	varNone variable = iota
	varOSName
	varSysPlatform
	varPlatformMachine
	varPlatformPythonImplementation
	varPlatformRelease
	varPlatformSystem
	varPlatformVersion
	varPythonVersion
	varPythonFullVersion
	varImplementationName
	varImplementationVersion
	varExtra
	varExtras
	varDependencyGroups
)

var variableNames = [...]string{
	varOSName: "os_name", varSysPlatform: "sys_platform", varPlatformMachine: "platform_machine",
	varPlatformPythonImplementation: "platform_python_implementation",
	varPlatformRelease:              "platform_release", varPlatformSystem: "platform_system",
	varPlatformVersion: "platform_version", varPythonVersion: "python_version",
	varPythonFullVersion: "python_full_version", varImplementationName: "implementation_name",
	varImplementationVersion: "implementation_version", varExtra: "extra",
	varExtras: "extras", varDependencyGroups: "dependency_groups",
}

// variableNamed returns the variable with that exact name, varNone if there is
// none.
func variableNamed(name string) variable {
	return variable(max(0, slices.Index(variableNames[1:], name)+1))
}

// isVersion tells whether values of v are compared as versions where they are
// versions.
func (v variable) isVersion() bool {
	return v == varPythonVersion || v == varPythonFullVersion ||
		v == varPlatformRelease || v == varImplementationVersion
}

func (v variable) isSet() bool { return v == varExtras || v == varDependencyGroups }

// Marker is an environment marker of PEP 508; nil is always true.
type Marker struct {
	root markerList
	// fallible are the terms whose comparison is undefined, or may be in some
	// environment, in the order in which they were written. An error counts
	// wherever it stands, so they are looked at first.
	fallible []*markerTerm
	hasExtra bool
}

// markerList is a run of atoms joined by "and" and "or", "and" binding closer.
type markerList struct{ alternatives [][]markerAtom }

// markerAtom is a term, or a list in parentheses.
type markerAtom struct {
	term *markerTerm
	list *markerList
}

// markerTerm compares two operands: a variable or a text each.
type markerTerm struct {
	left, right operand
	op          markerOp
	// variable is the one whose value is looked up; the other operand is the
	// text, even if it was written as a variable.
	variable variable
	swapped  bool // the variable is the right operand
	text     string
	// clause is the comparison of versions; nil if the text is no version, or
	// is not known before the environment is.
	clause *Specifier
	// undefined is the error that evaluation gives in every environment.
	undefined error
}

type operand struct {
	variable variable // varNone for a text
	text     string
}

type markerOp uint8

// The first eight are the operators of specifiers.
const (
	opIn    = markerOp(opIdentical) + 1
	opNotIn = markerOp(opIdentical) + 2
)

func (op markerOp) String() string {
	switch op {
	case opIn:
		return "in"
	case opNotIn:
		return "not in"
	}
	return operatorText[op]
}

// MentionsExtra tells whether the marker asks for an extra.
func (m *Marker) MentionsExtra() bool { return m != nil && m.hasExtra }

// markerScope is where the values of variables come from.
type markerScope struct {
	env      *MarkerEnv
	extra    Name
	hasExtra bool
	extras   []Name
	groups   []Name
	hasSets  bool
}

// Eval tells whether the marker holds in env when the given extras are wanted.
// With several, it holds if it does for one of them, as in pip; extra is "" if
// none is given. The error is ErrUndefinedComparison or ErrUnknownVariable.
func (m *Marker) Eval(env *MarkerEnv, extras ...Name) (bool, error) {
	if m == nil {
		return true, nil
	}
	scope := markerScope{env: env, hasExtra: true}
	if len(extras) == 0 || !m.hasExtra {
		return m.eval(&scope)
	}
	holds := false
	for _, extra := range extras {
		scope.extra = extra
		ok, err := m.eval(&scope)
		if err != nil {
			return false, err
		}
		holds = holds || ok
	}
	return holds, nil
}

// EvalLock is Eval for markers of a lock file (PEP 751), where the variables
// extras and dependency_groups are sets, and extra is unknown.
func (m *Marker) EvalLock(env *MarkerEnv, extras, groups []Name) (bool, error) {
	if m == nil {
		return true, nil
	}
	return m.eval(&markerScope{env: env, extras: extras, groups: groups, hasSets: true})
}

func (m *Marker) eval(scope *markerScope) (bool, error) {
	for _, t := range m.fallible {
		if err := t.check(scope); err != nil {
			return false, err
		}
	}
	return m.root.eval(scope), nil
}

func (l *markerList) eval(scope *markerScope) bool {
	for _, atoms := range l.alternatives {
		holds := true
		for i := range atoms {
			if a := &atoms[i]; a.term != nil {
				holds = a.term.eval(scope)
			} else {
				holds = a.list.eval(scope)
			}
			if !holds {
				break
			}
		}
		if holds {
			return true
		}
	}
	return false
}

// eval is called only for terms that cannot fail in this scope.
func (t *markerTerm) eval(scope *markerScope) bool {
	if t.variable.isSet() {
		set := scope.extras
		if t.variable == varDependencyGroups {
			set = scope.groups
		}
		switch t.op {
		case opIn:
			return slices.Contains(set, Name(t.text))
		case opNotIn:
			return !slices.Contains(set, Name(t.text))
		}
		return t.op == markerOp(opNotEqual) // a text never equals a set
	}
	value := scope.value(t.variable)
	left, right := value, t.text
	if t.swapped {
		left, right = t.text, value
	}
	clause := t.clause
	var own Specifier
	if t.swapped && t.variable.isVersion() && t.op < opIn && own.parseFrom(operator(t.op), right) {
		clause = &own
	}
	if clause != nil {
		return clause.containsText(left)
	}
	return compareTexts(t.op, left, right)
}

// compareTexts compares what are no versions: since packaging 26, < and > never
// hold for texts, <= and >= when they are equal.
func compareTexts(op markerOp, left, right string) bool {
	switch op {
	case opIn:
		return strings.Contains(right, left)
	case opNotIn:
		return !strings.Contains(right, left)
	case markerOp(opEqual), markerOp(opAtMost), markerOp(opAtLeast):
		return left == right
	case markerOp(opNotEqual):
		return left != right
	}
	return false
}

// check tells whether the term cannot be evaluated in scope.
func (t *markerTerm) check(scope *markerScope) error {
	switch {
	case t.variable == varExtra && !scope.hasExtra, t.variable.isSet() && !scope.hasSets:
		return fmt.Errorf("%s: %w", variableNames[t.variable], ErrUnknownVariable)
	case t.undefined != nil:
		return t.undefined
	case t.swapped && t.variable.isVersion() && t.op.needsVersion():
		var c Specifier
		if value := scope.value(t.variable); !c.parseFrom(operator(t.op), value) {
			return fmt.Errorf("%s with %q: %w", t, value, ErrUndefinedComparison)
		}
	}
	return nil
}

// needsVersion tells whether the operator has no meaning for texts.
func (op markerOp) needsVersion() bool {
	return op == markerOp(opCompatible) || op == markerOp(opIdentical)
}

// parseFrom makes c the clause of op and version; false if that is none.
func (c *Specifier) parseFrom(op operator, version string) bool {
	c.op = op
	end := c.scanVersion(version, skipSpace(version, 0))
	return end >= 0 && skipSpace(version, end) == len(version)
}

// containsText tells whether the version as written is admitted, pre-release or
// not.
func (c *Specifier) containsText(text string) bool {
	if c.op == opIdentical {
		return equalLower(c.text, text)
	}
	v, ok := parseVersion(text)
	return ok && c.contains(&v)
}

// value returns the value of a variable that is no set.
func (s *markerScope) value(v variable) string {
	switch v {
	case varOSName:
		return s.env.OSName
	case varSysPlatform:
		return s.env.SysPlatform
	case varPlatformMachine:
		return s.env.PlatformMachine
	case varPlatformPythonImplementation:
		return s.env.PlatformPythonImplementation
	case varPlatformRelease:
		return s.env.PlatformRelease
	case varPlatformSystem:
		return s.env.PlatformSystem
	case varPlatformVersion:
		return s.env.PlatformVersion
	case varPythonVersion:
		return s.env.PythonVersion
	case varPythonFullVersion:
		// Python built from an untagged checkout calls itself "3.13.0+", which
		// is no version; packaging completes it like this.
		if strings.HasSuffix(s.env.PythonFullVersion, "+") {
			return s.env.PythonFullVersion + "local"
		}
		return s.env.PythonFullVersion
	case varImplementationName:
		return s.env.ImplementationName
	case varImplementationVersion:
		return s.env.ImplementationVersion
	case varExtra:
		return string(s.extra)
	}
	return ""
}
