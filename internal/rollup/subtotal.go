package rollup

import "time"

// Subtotal is what one partition has counted: the sums of its windows and totals,
// of all projects. Those of all partitions together are the live metrics.
type Subtotal struct {
	At   time.Time     // when all of the partition was counted
	Sums []ProjectCell // by window and dimension; their slots are 0
}

// Subtotal gives the sums of all books as of at. Its cells are the books' own:
// read them before the next Fold.
func (bs Books) Subtotal(at time.Time) Subtotal {
	s := Subtotal{At: at}
	for project, b := range bs {
		s.add(project, "", b.totals)
		for _, w := range b.windows {
			s.add(project, w.Name, w.sum)
		}
	}
	return s
}

func (s *Subtotal) add(project, window string, sums Cells) {
	for d, c := range sums {
		s.Sums = append(s.Sums, ProjectCell{Project: project, Key: Key{Window: window, Dim: d}, Cell: c})
	}
}

// Merge adds subtotals up: cells by project and window, the totals under "".
func Merge(subtotals []Subtotal) map[string]map[string]Cells {
	sums := map[string]map[string]Cells{}
	for _, s := range subtotals {
		for _, pc := range s.Sums {
			windows := sums[pc.Project]
			if windows == nil {
				windows = map[string]Cells{}
				sums[pc.Project] = windows
			}
			cells := windows[pc.Key.Window]
			if cells == nil {
				cells = Cells{}
				windows[pc.Key.Window] = cells
			}
			cells.Add(pc.Key.Dim, *pc.Cell)
		}
	}
	return sums
}
