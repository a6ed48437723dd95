package inspect

// Summary is an environment in the form of "inspect --json".
type Summary struct {
	Platform      string                `json:"platform"`
	OS            string                `json:"os,omitempty"`
	Python        *PythonSummary        `json:"python,omitempty"`
	Interpreters  []PythonSummary       `json:"interpreters,omitempty"`
	Distributions []DistributionSummary `json:"distributions,omitempty"`
	OSPackages    []PackageSummary      `json:"osPackages,omitempty"`
	Conda         []PackageSummary      `json:"condaPackages,omitempty"`
	Warnings      []string              `json:"warnings,omitempty"`
}

// PythonSummary is one interpreter.
type PythonSummary struct {
	Path    string   `json:"path"`
	Version string   `json:"version"`
	ABI     string   `json:"abi"`
	Scheme  string   `json:"scheme"`
	Prefix  string   `json:"prefix"`
	Purelib string   `json:"purelib"`
	Libc    string   `json:"libc,omitempty"`
	Loader  string   `json:"loader,omitempty"`
	SysPath []string `json:"sysPath,omitempty"`
}

// DistributionSummary is one installed project.
type DistributionSummary struct {
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	Kind      string            `json:"kind"`
	Location  string            `json:"location"`
	Files     int               `json:"files"`
	Bytes     int64             `json:"bytes"`
	FilesFrom string            `json:"filesFrom,omitempty"`
	Missing   int               `json:"missing,omitempty"`
	Modified  []string          `json:"modified,omitempty"`
	Refused   string            `json:"refused,omitempty"`
	Owner     string            `json:"owner,omitempty"`
	Installer string            `json:"installer,omitempty"`
	Editable  string            `json:"editable,omitempty"`
	DirectURL string            `json:"directURL,omitempty"`
	Shadowed  bool              `json:"shadowed,omitempty"`
	Libraries []string          `json:"libraries,omitempty"` // needed from outside itself
	Versions  map[string]string `json:"symbolVersions,omitempty"`
}

// PackageSummary is a package of the OS or of conda.
type PackageSummary struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch,omitempty"`
	Source  string `json:"source,omitempty"`
}

// Summary returns e in a form for printing. Paths are absolute.
func (e *Environment) Summary() *Summary {
	s := &Summary{Platform: e.Platform, OS: e.OSRelease, Warnings: e.Warnings}
	for i, p := range e.Interpreters {
		sum := p.summary()
		if i == 0 {
			first := sum
			s.Python = &first
		}
		sum.SysPath = nil
		s.Interpreters = append(s.Interpreters, sum)
	}
	n, _ := newNative(e)
	for _, d := range e.Distributions {
		s.Distributions = append(s.Distributions, n.summary(d))
	}
	for _, p := range e.OS.Packages {
		s.OSPackages = append(s.OSPackages, PackageSummary{Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source})
	}
	for _, c := range e.Conda {
		s.Conda = append(s.Conda, PackageSummary{Name: c.Name, Version: c.Version})
	}
	return s
}

func (i *Interpreter) summary() PythonSummary {
	s := PythonSummary{
		Path: "/" + i.Path, Version: i.Version.String(), ABI: i.ABI, Scheme: i.Scheme, Prefix: "/" + i.Prefix,
		Purelib: "/" + i.Purelib, Libc: libcText(i),
	}
	if i.Loader != "" {
		s.Loader = "/" + i.Loader
	}
	for _, d := range i.SysPath {
		s.SysPath = append(s.SysPath, "/"+d)
	}
	return s
}

func (n *native) summary(d *Distribution) DistributionSummary {
	s := DistributionSummary{
		Name: string(d.Name), Version: d.Version.String(), Kind: string(d.Kind), Location: "/" + d.Location,
		Files: len(d.Files), FilesFrom: d.FilesFrom, Missing: len(d.Missing), Refused: d.Refused, Owner: d.Owner,
		Installer: d.Installer, DirectURL: d.DirectURL, Shadowed: d.Shadowed,
	}
	for _, p := range d.Modified {
		s.Modified = append(s.Modified, "/"+p)
	}
	if d.Editable != "" {
		s.Editable = "/" + d.Editable
	}
	for _, p := range d.Files {
		if f, ok := n.e.Files.Get(p); ok {
			s.Bytes += f.Size
		}
	}
	needs := n.needs(d)
	for _, l := range needs.Libraries {
		s.Libraries = append(s.Libraries, l.Name)
	}
	if len(needs.Versions) > 0 {
		s.Versions = needs.Versions
	}
	return s
}
