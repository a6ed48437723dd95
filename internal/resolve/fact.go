package resolve

import (
	"github.com/r-seed-1713b764/distill/internal/python"
)

// factKind says what kind of truth a clause states that was not learned.
type factKind uint8

const (
	// factWanted: a requirement of the request.
	factWanted factKind = iota
	// factNeeds: versions of a package need others.
	factNeeds
	// factConstraint: a line of a constraints file.
	factConstraint
	// factUnusable: versions of a package can't be used at all.
	factUnusable
	// factGuarded: pre-releases and yanked versions that nothing admits.
	factGuarded
)

// fact is what a clause states that was not learned, for those who explain it.
type fact struct {
	kind    factKind
	pkg     *pkg // whose versions the clause speaks about; nil for factWanted
	extra   python.Name
	dep     *pkg // what is needed, for factWanted and factNeeds
	req     *python.Requirement
	targets mask
	// admits is what of dep the requirement admits.
	admits set
	// Requirements decide whether pre-releases and yanked versions are taken.
	namesPre bool
	pins     bool
	// missing is why dep can't be had, if it is not for its versions.
	missing string
}
