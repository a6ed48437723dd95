package resolve

import "slices"

// join makes one fact of those that say the same of different versions: that
// they can't be used, or that nothing admits them.
func (p *proof) join() {
	var out []*told
	for _, t := range p.facts {
		i := slices.IndexFunc(out, func(u *told) bool {
			return (t.kind == factUnusable || t.kind == factGuarded) && t.kind == u.kind && t.pkg == u.pkg && t.targets == u.targets
		})
		if i < 0 {
			out = append(out, t)
			continue
		}
		out[i].versions = out[i].versions.union(t.versions)
	}
	p.facts = out
}

// prune leaves out what does not lead to a package that is fought about. A proof
// that no other package admits a pre-release touches many that nobody cares for.
func (p *proof) prune() {
	lead := make(map[*pkg]bool)
	for _, k := range p.wantedPackages() {
		if p.contested(k) {
			lead[k] = true
		}
	}
	if len(lead) == 0 {
		return
	}
	for range p.facts {
		for _, t := range p.facts {
			if t.kind == factNeeds && lead[t.dep] {
				lead[t.pkg] = true
			}
		}
	}
	p.facts = slices.DeleteFunc(p.facts, func(t *told) bool {
		if t.kind == factUnusable || t.kind == factGuarded {
			return !lead[t.pkg]
		}
		return !lead[t.dep]
	})
}

// wantedPackages returns the packages that something asks for, each once.
func (p *proof) wantedPackages() []*pkg {
	var out []*pkg
	for _, t := range p.facts {
		if (t.kind == factWanted || t.kind == factNeeds) && !slices.Contains(out, t.dep) {
			out = append(out, t.dep)
		}
	}
	return out
}

// spoilt returns the versions of k that can't be used or that nothing admits.
func (p *proof) spoilt(k *pkg) set {
	var out set
	for _, t := range p.facts {
		if t.pkg == k && (t.kind == factUnusable || t.kind == factGuarded) {
			out = out.union(t.versions)
		}
	}
	return out
}

// demands returns, for each line of the request and each package that asks for
// k, the versions of k that it leaves. Other versions of that package may ask
// for others; where the proof does not speak of one of them, anything is left.
func (p *proof) demands(k *pkg) (all []set, missing bool) {
	spoilt := p.spoilt(k)
	by := make(map[*pkg]int)
	told := make(map[*pkg]set)
	var parents []*pkg
	for _, t := range p.facts {
		if t.dep != k {
			continue
		}
		missing = missing || t.missing != ""
		left := t.admits.minus(spoilt)
		if t.pkg == nil || t.kind == factConstraint {
			all = append(all, left)
			continue
		}
		i, seen := by[t.pkg]
		if !seen {
			by[t.pkg] = len(all)
			parents = append(parents, t.pkg)
			all = append(all, left)
		} else {
			all[i] = all[i].union(left)
		}
		told[t.pkg] = told[t.pkg].union(t.versions)
	}
	for _, parent := range parents {
		if could := p.remaining(parent); len(could) == 0 || len(could.minus(told[parent])) > 0 {
			all[by[parent]] = full(int32(len(k.versions))).minus(spoilt)
		}
	}
	return all, missing
}

// remaining returns the versions of k that meet all demands.
func (p *proof) remaining(k *pkg) set {
	if s, ok := p.rest[k]; ok {
		return s
	}
	// Packages that need each other: what one demands of itself is not followed.
	p.rest[k] = p.left(k).minus(p.spoilt(k))
	left := p.rest[k]
	all, _ := p.demands(k)
	for _, s := range all {
		left = left.intersect(s)
	}
	p.rest[k] = left
	return left
}

// clash returns the package of which no version is left, as the last of those
// that the proof is about; nil if different versions of one package fail for
// different reasons.
func (p *proof) clash() *pkg {
	var out *pkg
	for _, k := range p.wantedPackages() {
		if _, missing := p.demands(k); missing || len(p.remaining(k)) == 0 {
			out = k
		}
	}
	return out
}

// turn puts together what follows from one line of the request, in the order of
// the lines. What is said of the package k that is fought about, last of all a
// line of the request that names it, comes behind the chains that lead to it.
func (p *proof) turn(k *pkg) {
	owner := make(map[*pkg]int)
	var chains []*told
	for _, t := range p.facts {
		if t.kind == factWanted && t.dep != k {
			chains = append(chains, t)
		}
	}
	if len(chains) == 0 {
		return
	}
	for i, root := range chains {
		p.own(owner, root.dep, k, i+1)
	}
	place := func(t *told) int {
		switch {
		case t.kind == factWanted && t.dep == k:
			return len(chains) + 2
		case t.kind == factWanted:
			return owner[t.dep]
		case t.pkg == k || owner[t.pkg] == 0:
			return len(chains) + 1
		}
		return owner[t.pkg]
	}
	slices.SortStableFunc(p.facts, func(a, b *told) int { return place(a) - place(b) })
}

// own notes that what from leads to, up to the package end, belongs to a line of
// the request, if it does not to an earlier one.
func (p *proof) own(owner map[*pkg]int, from, end *pkg, line int) {
	todo := []*pkg{from}
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if k == end || owner[k] != 0 {
			continue
		}
		owner[k] = line
		for _, t := range p.facts {
			if t.kind == factNeeds && t.pkg == k {
				todo = append(todo, t.dep)
			}
		}
	}
}

// contested tells whether two that ask for k can't agree, or one can't have it.
func (p *proof) contested(k *pkg) bool {
	spoilt := p.spoilt(k)
	var asking []*told
	for _, t := range p.facts {
		if t.dep != k {
			continue
		}
		mine := t.admits.minus(spoilt)
		if len(mine) == 0 || t.missing != "" {
			return true
		}
		for _, u := range asking {
			if (u.pkg != t.pkg || t.pkg == nil) && len(mine.intersect(u.admits)) == 0 {
				return true
			}
		}
		asking = append(asking, t)
	}
	return len(p.remaining(k)) == 0
}
