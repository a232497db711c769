package document

import "unsafe"

// View is b as a text that shares its bytes: nobody may change them from then on.
// So a body is in memory once, not once more for whoever reads it; of a prompt of
// 100 KB that was three times, of an answer twice.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
