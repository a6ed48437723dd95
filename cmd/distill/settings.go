package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// maxConfig bounds distill.toml; a real one has a few dozen lines.
const maxConfig = 1 << 20

// settle gives every flag that is not on the command line the value of its
// variable, else of distill.toml: flag beats variable beats file.
func settle(set *pflag.FlagSet, environ func(string) (string, bool)) error {
	given := map[string]bool{}
	set.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	if err := settleEnviron(set, given, environ); err != nil {
		return err
	}
	return settleFile(set, given)
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "DISTILL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func settleEnviron(set *pflag.FlagSet, given map[string]bool, environ func(string) (string, bool)) error {
	var errs []error
	set.VisitAll(func(f *pflag.Flag) {
		if given[f.Name] || given[opposite(f.Name)] || f.Name == "help" || f.Name == "version" {
			return
		}
		name := variable(f.Name)
		value, ok := environ(name)
		if !ok || value == "" {
			return
		}
		values := []string{value}
		if isList(f) {
			values = strings.Fields(value) // as pip reads its own variables
		}
		given[f.Name] = true
		for _, v := range values {
			if err := set.Set(f.Name, v); err != nil {
				errs = append(errs, usagef("", "%s: %v", name, err))
				return
			}
		}
	})
	return errors.Join(errs...)
}

// settleFile reads distill.toml: the one named by --config, else the one beside
// the first requirements file, else that beside the lock that is audited, else that
// of the working folder.
func settleFile(set *pflag.FlagSet, given map[string]bool) error {
	path, named := "distill.toml", false
	if f := set.Lookup("config"); f != nil && f.Value.String() != "" {
		path, named = f.Value.String(), true
	} else if reqs, err := set.GetStringArray("req"); err == nil && len(reqs) > 0 {
		path = filepath.Join(filepath.Dir(reqs[0]), "distill.toml")
	} else if beside := besideLock(set); beside != "" {
		path = beside
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return usagef("", "configuration file: %v", err)
	}
	if info.Size() > maxConfig {
		return usagef("", "%s has %d bytes, more than %d", path, info.Size(), maxConfig)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return usagef("", "configuration file: %v", err)
	}
	var doc map[string]any
	if err := tomltext.Decode(path, text, &doc); err != nil {
		return usagef("", "%v", err)
	}
	return settleDocument(set, given, path, doc)
}

// besideLock is the distill.toml beside the lock file that audit is given, "" if
// there is none.
func besideLock(set *pflag.FlagSet) string {
	if set.Lookup("osv-db") == nil || set.NArg() == 0 {
		return ""
	}
	if info, err := os.Stat(set.Arg(0)); err != nil || !info.Mode().IsRegular() {
		return "" // an image
	}
	beside := filepath.Join(filepath.Dir(set.Arg(0)), "distill.toml")
	if _, err := os.Stat(beside); err != nil {
		return ""
	}
	return beside
}

// settleDocument gives flags the values of a file. Keys of flags that only other
// commands have are passed over, as one file serves all.
func settleDocument(set *pflag.FlagSet, given map[string]bool, path string, doc map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		f := set.Lookup(key)
		if f == nil {
			if isFlagOfAnyCommand(key) {
				continue
			}
			return usagef("the keys are the names of the flags", "%s: unknown key %q", path, key)
		}
		if given[key] || given[opposite(key)] || key == "config" {
			continue
		}
		values, err := tomlValues(doc[key])
		if err != nil {
			return usagef("", "%s: %s: %v", path, key, err)
		}
		if len(values) > 1 && !isList(f) {
			return usagef("", "%s: %s takes one value, not a list", path, key)
		}
		for _, v := range values {
			if isPath(key) && !filepath.IsAbs(v) {
				joined := filepath.Join(filepath.Dir(path), v)
				if strings.HasSuffix(v, "/") && !strings.HasSuffix(joined, "/") {
					joined += "/" // of SRC:DST/, where it means something
				}
				v = joined
			}
			if err := set.Set(key, v); err != nil {
				return usagef("", "%s: %s: %v", path, key, err)
			}
		}
	}
	return nil
}

// isPath tells whether a key of distill.toml names files relative to it.
func isPath(key string) bool {
	return key == "app" || key == "req" || key == "constraint" || key == "build-constraint" || key == "override" || key == "lock" || key == "osv-db"
}

// tomlValues turns a value of the file into what stands on a command line. A
// table is a list of NAME=value.
func tomlValues(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case bool, int64:
		return []string{fmt.Sprint(v)}, nil
	case toml.LocalDate:
		return []string{v.String()}, nil
	case []any:
		var out []string
		for _, x := range v {
			one, err := tomlValues(x)
			if err != nil {
				return nil, err
			}
			out = append(out, one...)
		}
		return out, nil
	case map[string]any:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			s, ok := v[k].(string)
			if !ok {
				return nil, fmt.Errorf("%s must be a string", k)
			}
			out = append(out, k+"="+s)
		}
		return out, nil
	}
	return nil, fmt.Errorf("a value of type %T has no meaning here", v)
}

// isList tells whether a flag may be repeated.
func isList(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}
