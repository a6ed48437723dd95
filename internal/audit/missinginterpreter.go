package audit

// missingInterpreter reports an image that has no Python, or one that can't start.
var missingInterpreter = verifyRule{
	Rule: Rule{
		Code: "missing-interpreter", Severity: High,
		Title: "There is no Python, or its loader is missing",
		Help:  "Nothing of the application can run. Take a base image with Python, or one that the interpreter can be brought to.",
	},
	verify: checkInterpreter,
}

func checkInterpreter(v *verifier) []Finding {
	py := v.env.Python
	if py == nil {
		return []Finding{{Message: "there is no Python in the image", Fix: "take a base image with Python"}}
	}
	var out []Finding
	if py.Loader != "" && v.loader == nil {
		out = append(out, v.finding(py.Path, "is started by the loader /"+py.Loader+", which is not in the image", "take a base image with this C library"))
	}
	if _, ok := v.env.Files.Get(py.Stdlib); py.Stdlib == "" || !ok && v.file(py.Stdlib+"/os.py") == nil {
		return append(out, v.finding(py.Path, "has no standard library", "keep the standard library"))
	}
	for _, name := range startup {
		if m, known := v.tree.Find(name); m == nil && known {
			out = append(out, v.finding(py.Path, "does not start without the module "+name+", which is not in the image", "keep the standard library whole"))
		}
	}
	return out
}

// startup are the modules that CPython imports before it runs anything, beside those that
// are compiled in; utf_8 and latin_1 are the codecs of its file names and streams.
var startup = []string{"os", "site", "io", "codecs", "encodings", "encodings.aliases", "encodings.utf_8", "encodings.latin_1"}
