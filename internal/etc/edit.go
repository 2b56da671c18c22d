package etc

import (
	"slices"
	"strings"
)

// Style is how the comments of a file look: the signs that begin one.
type Style struct {
	Signs   string // such as ";#"
	Blanked bool   // within a line a sign counts after a blank only
	Blocks  bool   // there are comments of several lines, from ";--" to "--;"
}

// The styles of the files that are changed here.
var (
	// Asterisk's own files.
	Asterisk = Style{Signs: ";", Blocks: true}
	// Ours is api.conf.
	Ours = Style{Signs: "#;", Blanked: true}
)

// Set returns the text with a key of a section set to a value. A line that sets it is changed and keeps its comment; else
// the line is added below the last one of the section, and a section that is not there at the end. Everything else stays
// as it is, byte by byte. Section and key are matched without regard to case. "" is the part above the first section.
func (s Style) Set(text, section, key, value string) string {
	end := "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	lines := slices.Collect(strings.Lines(text))
	at, found, head := -1, -1, section == ""
	current := ""
	var state comments
	for i, line := range lines {
		bare := strings.TrimSpace(line)
		if s.Blocks {
			bare = strings.TrimSpace(state.cut(line, Place{}))
		}
		switch {
		case strings.HasPrefix(bare, "["):
			name, _, _ := strings.Cut(bare[1:], "]")
			current = strings.TrimSpace(name)
			if strings.EqualFold(current, section) {
				at, head = i, true
			}
		case !strings.EqualFold(current, section) || bare == "" || strings.ContainsRune("#"+s.Signs, rune(bare[0])):
		default:
			at = i
			if name, _, ok := strings.Cut(bare, "="); ok && strings.EqualFold(strings.TrimSpace(name), key) {
				found = i
			}
		}
	}
	fresh := key + " = " + value
	switch {
	case found >= 0:
		lines[found] = fresh + s.tail(lines[found]) + end
	case head:
		if at >= 0 && !strings.HasSuffix(lines[at], "\n") {
			lines[at] += end
		}
		lines = slices.Insert(lines, at+1, fresh+end)
	default:
		lines = append(lines, separator(text, end), "["+section+"]"+end, fresh+end)
	}
	return strings.Join(lines, "")
}

// separator is what stands between the end of a text and a new section: one empty line.
func separator(text, end string) string {
	switch {
	case text == "" || strings.HasSuffix(text, end+end):
		return ""
	case strings.HasSuffix(text, "\n"):
		return end
	}
	return end + end
}

// Append returns the text with a line at its end.
func Append(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}

// tail is the comment at the end of a line, with the blanks before it.
func (s Style) tail(line string) string {
	line = strings.TrimRight(line, "\r\n")
	for i := 1; i < len(line); i++ {
		blank := line[i-1] == ' ' || line[i-1] == '\t'
		if strings.IndexByte(s.Signs, line[i]) < 0 || line[i-1] == '\\' || s.Blanked && !blank {
			continue
		}
		return line[len(strings.TrimRight(line[:i], " \t")):]
	}
	return ""
}
