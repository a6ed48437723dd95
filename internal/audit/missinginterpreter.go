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
	if py.Stdlib == "" {
		out = append(out, v.finding(py.Path, "has no standard library", "keep the standard library"))
	}
	return out
}
