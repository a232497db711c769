package routing

import "slices"

// arrange sorts choices, of equals the first one first. Choices are large:
// places are sorted, and each choice is moved once.
func arrange(choices []Choice, compare func(a, b *Choice) int) {
	var room [32]int // so that the usual needs nothing from the heap
	places := room[:0]
	for i := range choices {
		places = append(places, i)
	}
	slices.SortStableFunc(places, func(i, j int) int { return compare(&choices[i], &choices[j]) })
	for start := range places {
		if places[start] == start {
			continue
		}
		first := choices[start]
		at := start
		for places[at] != start {
			from := places[at]
			choices[at], places[at] = choices[from], at
			at = from
		}
		choices[at], places[at] = first, at
	}
}
