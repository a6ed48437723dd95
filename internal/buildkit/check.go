package buildkit

// CheckAddresses tells what is wrong with addresses for [Open], without asking anybody
// there; the error is an [*AddressError].
func CheckAddresses(addresses string) error {
	_, err := parseAddresses(addresses, Options{})
	return err
}
