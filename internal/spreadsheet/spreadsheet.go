// Package spreadsheet writes what spreadsheets read as it is meant.
package spreadsheet

import "strings"

// Text is a text as a cell: with an apostrophe before it where it would be taken
// for a formula (OWASP, CSV Injection).
func Text(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r") {
		return "'" + text
	}
	return text
}
