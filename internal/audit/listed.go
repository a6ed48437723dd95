package audit

import (
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// listedItem is an entry of the lock beside what the index lists today.
type listedItem struct {
	item    *Item
	listing *Listing
	files   []listedFile
}

// listedFile is a file of the lock; listed is nil if the index has none of that
// name.
type listedFile struct {
	file   *pylock.File
	listed *resolve.Artifact
}

// listed returns the entries that came from an index which was asked.
func (f *Facts) listed() []listedItem {
	var out []listedItem
	for _, i := range f.Items {
		l := f.Index[i.Name]
		if l == nil || i.Entry == nil || i.ImageOnly || i.Version == nil || i.Entry.Archive != nil || i.Entry.Elsewhere != "" {
			continue
		}
		p := listedItem{item: i, listing: l}
		byName := map[string]*resolve.Artifact{}
		if !l.Missing {
			for _, a := range l.files(*i.Version) {
				byName[a.File] = a
			}
		}
		for _, file := range lockFiles(i.Entry) {
			if file.URL != "" { // others lie beside the lock
				p.files = append(p.files, listedFile{file, byName[file.Name]})
			}
		}
		out = append(out, p)
	}
	return out
}
