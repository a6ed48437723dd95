package python

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// parseLine reads a requirement as it may stand in a requirements file: one of
// PEP 508, or the URL or path of a wheel or source archive.
func (r *requirementsReader) parseLine(text, from string) (Requirement, error) {
	target, marker := cutMarker(text)
	scheme := urlScheme(target)
	switch {
	case isVCS(scheme):
		return Requirement{}, vcsError(target)
	case slices.Contains([]string{"http", "https", "file", "ftp"}, scheme):
		return r.direct(target, marker, from)
	}
	bare, _ := cutExtras(target)
	name, _, hasAt := strings.Cut(bare, "@")
	if !hasAt || looksLikePath(name) {
		switch {
		case isArchive(bare):
			return r.direct(target, marker, from)
		case looksLikePath(bare):
			return Requirement{}, folderError(bare)
		}
	}
	if marker == "" {
		text = strings.TrimRight(text, "; \t") // a semicolon with nothing behind it
	}
	req, err := ParseRequirement(text)
	if err != nil {
		return Requirement{}, explainSyntax(text, err)
	}
	return r.checkURL(req, from)
}

// cutMarker splits a marker off. Behind a URL, which may have a semicolon in it,
// the semicolon of the marker is followed by a blank.
func cutMarker(text string) (target, marker string) {
	separator := ";"
	if hasScheme(text) {
		separator = "; "
	}
	target, marker, _ = strings.Cut(text, separator)
	return trimSpace(target), trimSpace(marker)
}

// cutExtras splits "[extra]" off the end.
func cutExtras(target string) (bare, extras string) {
	if i := strings.LastIndexByte(target, '['); i > 0 && strings.HasSuffix(target, "]") {
		return trimSpace(target[:i]), target[i:]
	}
	return target, ""
}

func isVCS(scheme string) bool {
	vcs, _, ok := strings.Cut(scheme, "+")
	return ok && slices.Contains([]string{"git", "hg", "svn", "bzr"}, vcs) || scheme == "git"
}

func looksLikePath(s string) bool { return strings.HasPrefix(s, ".") || strings.Contains(s, "/") }

func isArchive(s string) bool { return strings.HasSuffix(s, ".whl") || IsSdistName(s) }

// direct reads the URL or path of a wheel or source archive.
func (r *requirementsReader) direct(target, marker, from string) (Requirement, error) {
	location, extras := target, ""
	if !hasScheme(target) {
		location, extras = cutExtras(target)
	}
	var req Requirement
	if marker != "" {
		m, err := ParseMarker(marker)
		if err != nil {
			return Requirement{}, fmt.Errorf("marker %w", err)
		}
		req.Marker = m
	}
	bare, fragment, _ := strings.Cut(location, "#")
	if err := req.addFragment(fragment); err != nil {
		return Requirement{}, err
	}
	file := path.Base(strings.TrimRight(bare, "/"))
	if hasScheme(bare) {
		u, err := url.Parse(bare)
		if err != nil {
			return Requirement{}, fmt.Errorf("URL %q cannot be read", bare)
		}
		file = path.Base(u.Path)
	}
	if err := req.nameAfter(file, target); err != nil {
		return Requirement{}, err
	}
	if extras != "" {
		p := parser{text: extras}
		list, err := p.extras()
		if err != nil {
			return Requirement{}, err
		}
		req.Extras = list
	}
	var err error
	req.URL, err = r.joinURL(from, location)
	return req, err
}

// nameAfter sets the name from a file name, unless it is set.
func (r *Requirement) nameAfter(file, target string) error {
	if r.Name != "" {
		return nil
	}
	if strings.HasSuffix(file, ".whl") {
		w, err := ParseWheelName(file)
		if err != nil {
			return err
		}
		r.Name = w.Name
		return nil
	}
	if !IsSdistName(file) {
		return &RequirementsError{
			Reason: fmt.Sprintf("%q is neither a wheel nor a source archive", target),
			Hint:   "name the project in front of it: NAME @ URL",
		}
	}
	name, err := sdistProject(file)
	if err != nil {
		return &RequirementsError{Reason: err.Error(), Hint: "name the project in front of it: NAME @ URL"}
	}
	r.Name = name
	return nil
}

// sdistProject returns the project in the file name of a source archive.
func sdistProject(file string) (Name, error) {
	stem, _ := sdistStem(file)
	for i := len(stem) - 1; i > 0; i-- {
		if stem[i] != '-' {
			continue
		}
		if _, ok := parseVersion(stem[i+1:]); ok {
			return ParseName(stem[:i])
		}
	}
	return "", fmt.Errorf("source archive %q: file name is not NAME-VERSION", clip(file))
}

// addFragment reads the fragment of a URL: egg=NAME[EXTRAS] and hashes.
func (r *Requirement) addFragment(fragment string) error {
	for part := range strings.SplitSeq(fragment, "&") {
		key, value, _ := strings.Cut(part, "=")
		if key == "egg" {
			egg, err := ParseRequirement(value)
			if err != nil || egg.URL != "" || egg.Marker != nil {
				return fmt.Errorf("egg=%s is no project name", value)
			}
			r.Name, r.Extras = egg.Name, egg.Extras
		}
		if _, known := digestLength[key]; known {
			algorithm, digest, err := parseHash(key + ":" + value)
			if err != nil {
				return err
			}
			r.addHash(algorithm, digest)
		}
	}
	return nil
}

// checkURL looks at the URL of "name @ url".
func (r *requirementsReader) checkURL(req Requirement, from string) (Requirement, error) {
	if req.URL == "" {
		return req, nil
	}
	if isVCS(urlScheme(req.URL)) {
		return Requirement{}, vcsError(req.URL)
	}
	bare, fragment, _ := strings.Cut(req.URL, "#")
	named := req
	if err := named.addFragment(fragment); err != nil {
		return Requirement{}, err
	}
	req.Hashes = named.Hashes
	if !hasScheme(bare) && !isArchive(bare) {
		return Requirement{}, folderError(bare)
	}
	var err error
	req.URL, err = r.joinURL(from, req.URL)
	return req, err
}

// joinURL returns the URL or path of a file as seen from the file that names it.
func (r *requirementsReader) joinURL(from, location string) (string, error) {
	if hasScheme(location) {
		return location, nil
	}
	return r.join(from, location)
}

func editableError(value string) error {
	return &RequirementsError{
		Reason: fmt.Sprintf("editable requirement %q cannot be put into an image", value),
		Hint:   "build a wheel of it (pip wheel) and name the wheel or its folder (--find-links)",
	}
}

func vcsError(target string) error {
	return &RequirementsError{
		Reason: fmt.Sprintf("%q names a version control system", target),
		Hint:   "build a wheel of it (pip wheel) and name the wheel or its folder (--find-links)",
	}
}

func folderError(target string) error {
	return &RequirementsError{
		Reason: fmt.Sprintf("%q names neither a wheel nor a source archive, and folders are not built", target),
		Hint:   "build a wheel of it (pip wheel) and name the wheel or its folder (--find-links)",
	}
}

// explainSyntax adds what is most often meant by a line that is no requirement.
func explainSyntax(text string, err error) error {
	e := &RequirementsError{Reason: fmt.Sprintf("requirement %s", strings.TrimPrefix(err.Error(), "requirement "))}
	if strings.Contains(text, "=") && !strings.ContainsAny(text, "<>~!") && !strings.Contains(text, "==") {
		e.Hint = "= is no operator: write == for one version"
	}
	return e
}
