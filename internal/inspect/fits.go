package inspect

// Fits tells why the files of d in the development image can't be used on the
// base, "" if they can. Libraries that the base lacks don't count if the
// development image has them: they can be brought along.
func Fits(d *Distribution, dev, base *Environment) string { panic("contract") }
