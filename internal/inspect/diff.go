package inspect

// Difference is one thing that two platforms of an image do not share.
type Difference struct {
	What string `json:"what"` // "python", "libc", or the name of a distribution
	A    string `json:"a"`    // version on the first, "" if it is not there
	B    string `json:"b"`
}

// Diff returns what differs between two environments, in order of name.
func Diff(a, b *Environment) []Difference { panic("contract") }
