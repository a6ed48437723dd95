// Package tomltext reads TOML that others wrote: it bounds what the parser would recurse
// into, and says in which line an error is.
package tomltext

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Decode reads a document into what to points to, as [toml.Unmarshal] does; keys that to
// has no place for are passed over. An error begins with file and line, or with "line" and
// its number where file is "". How long a text may be is the caller's to say.
func Decode(file string, text []byte, to any) error {
	return decode(file, text, to, toml.NewDecoder(bytes.NewReader(text)))
}

// DecodeStrict is [Decode] for texts in which a key without a place is an error.
func DecodeStrict(file string, text []byte, to any) error {
	return decode(file, text, to, toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields())
}

func decode(file string, text []byte, to any, d *toml.Decoder) error {
	if row := tooDeep(text); row > 0 {
		return errors.New(before(file) + fmt.Sprintf("brackets nest too deeply, in line %d: more than %d", row, maxDepth))
	}
	err := d.Decode(to)
	if err == nil {
		return nil
	}
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		row, _ := e.Position()
		return fmt.Errorf("%s: there is no key %q", place(file, row), strings.Join(e.Key(), "."))
	}
	said := strings.TrimPrefix(err.Error(), "toml: ")
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		return fmt.Errorf("%s: %s", place(file, row), said)
	}
	return errors.New(before(file) + said)
}

func place(file string, row int) string {
	if file == "" {
		return fmt.Sprintf("line %d", row)
	}
	return fmt.Sprintf("%s:%d", file, row)
}

func before(file string) string {
	if file == "" {
		return ""
	}
	return file + ": "
}
