package apidocs

import (
	"html/template"
	"regexp"
	"strings"
)

// markdown turns the part of Markdown that descriptions use into HTML:
// paragraphs, lists, tables, code, and in a line code, bold text and links.
// Everything else is text; nothing of it becomes markup.
func markdown(text string) template.HTML {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, " \n"), "\n")
	for len(lines) > 0 {
		if strings.TrimSpace(lines[0]) == "" {
			lines = lines[1:]
			continue
		}
		n := block(lines)
		out.WriteString(blockHTML(lines[:n]))
		lines = lines[n:]
	}
	return template.HTML(out.String()) // #nosec G203 -- every text in it is escaped
}

// inline is markdown of a single line.
func inline(text string) template.HTML {
	return template.HTML(spans(strings.Join(strings.Fields(text), " "))) // #nosec G203 -- every text in it is escaped
}

var (
	bullet = regexp.MustCompile(`^[-*] +`)
	number = regexp.MustCompile(`^[0-9]+\. +`)
	rule   = regexp.MustCompile(`^\|[ :|-]+\|?$`)
)

const fence = "```"

func isTable(line string) bool    { return strings.HasPrefix(line, "|") }
func isIndented(line string) bool { return strings.HasPrefix(line, "    ") }
func isItem(line string) bool     { return bullet.MatchString(line) || number.MatchString(line) }

// block counts the lines that the first block has.
func block(lines []string) int {
	first := lines[0]
	if strings.HasPrefix(first, fence) {
		for i, line := range lines[1:] {
			if strings.HasPrefix(line, fence) {
				return i + 2
			}
		}
		return len(lines)
	}
	same := func(line string) bool { return !isTable(line) && !isItem(line) && !strings.HasPrefix(line, fence) }
	switch {
	case isTable(first):
		same = isTable
	case isIndented(first):
		same = isIndented
	case isItem(first):
		same = func(line string) bool { return isItem(line) || strings.HasPrefix(line, "  ") }
	}
	for i, line := range lines[1:] {
		if strings.TrimSpace(line) == "" || !same(line) {
			return i + 1
		}
	}
	return len(lines)
}

func blockHTML(lines []string) string {
	first := lines[0]
	switch {
	case strings.HasPrefix(first, fence):
		inside := lines[1:]
		if n := len(inside); n > 0 && strings.HasPrefix(inside[n-1], fence) {
			inside = inside[:n-1]
		}
		return code(inside)
	case isIndented(first):
		for i := range lines {
			lines[i] = lines[i][4:]
		}
		return code(lines)
	case isTable(first):
		return table(lines)
	case isItem(first):
		return list(lines)
	}
	return "<p>" + spans(strings.Join(lines, "\n")) + "</p>"
}

func code(lines []string) string {
	return `<pre tabindex="0"><code>` + template.HTMLEscapeString(strings.Join(lines, "\n")) + "</code></pre>"
}

func list(lines []string) string {
	tag, marker := "ul", bullet
	if number.MatchString(lines[0]) {
		tag, marker = "ol", number
	}
	var items []string
	for _, line := range lines {
		if marker.MatchString(line) {
			items = append(items, marker.ReplaceAllString(line, ""))
		} else {
			items[len(items)-1] += "\n" + strings.TrimSpace(line)
		}
	}
	var out strings.Builder
	for _, item := range items {
		out.WriteString("<li>" + spans(item) + "</li>")
	}
	return "<" + tag + ">" + out.String() + "</" + tag + ">"
}

func table(lines []string) string {
	var out strings.Builder
	out.WriteString(`<div class="tw" tabindex="0" role="group" aria-label="Table"><table>`)
	if len(lines) > 1 && rule.MatchString(lines[1]) {
		out.WriteString("<thead>" + row(lines[0], `<th scope="col">`, "</th>") + "</thead>")
		lines = lines[2:]
	}
	out.WriteString("<tbody>")
	for _, line := range lines {
		out.WriteString(row(line, "<td>", "</td>"))
	}
	out.WriteString("</tbody></table></div>")
	return out.String()
}

// row splits at bars, except within code.
func row(line, opening, closing string) string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	var out, cell strings.Builder
	flush := func() {
		out.WriteString(opening + spans(strings.TrimSpace(cell.String())) + closing)
		cell.Reset()
	}
	inCode := false
	for _, r := range line {
		if r == '|' && !inCode {
			flush()
			continue
		}
		inCode = inCode != (r == '`')
		cell.WriteRune(r)
	}
	flush()
	return "<tr>" + out.String() + "</tr>"
}

// span finds what stands out in a line: code, bold, links.
var span = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\[([^\\]]+)\\]\\(([^()\\s]+)\\)")

// spans turns what stands out into elements and escapes everything.
func spans(text string) string {
	var out strings.Builder
	at := 0
	for _, m := range span.FindAllStringSubmatchIndex(text, -1) {
		group := func(i int) string { return text[m[2*i]:m[2*i+1]] }
		out.WriteString(template.HTMLEscapeString(text[at:m[0]]))
		switch {
		case m[2] >= 0:
			out.WriteString("<code>" + template.HTMLEscapeString(group(1)) + "</code>")
		case m[4] >= 0:
			out.WriteString("<strong>" + spans(group(2)) + "</strong>")
		case isLink(group(4)):
			out.WriteString(`<a href="` + template.HTMLEscapeString(group(4)) + `">` + spans(group(3)) + "</a>")
		default:
			out.WriteString(template.HTMLEscapeString(text[m[0]:m[1]]))
		}
		at = m[1]
	}
	out.WriteString(template.HTMLEscapeString(text[at:]))
	return out.String()
}

// isLink lets pages and places on this one be linked, and no scripts.
func isLink(target string) bool {
	return strings.HasPrefix(target, "#") || strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "http://")
}
