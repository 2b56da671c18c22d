package etc

import "strings"

// comments follows Asterisk through the comments of a file: what stands behind a ";", and blocks from ";--" (but not ";---") to "--;", which
// nest. Its zero value is the beginning of a file. The files that one #include names share it: a block that does not end in one of them goes on
// in the next one. So it is on 16.28 and 22.10, whose reader this follows turn by turn.
type comments struct {
	depth int     // open blocks; below 0 after an end without a beginning, which swallows what follows as well
	open  []Place // where they begin, or where the end without a beginning is
}

// Place is a line of a file.
type Place struct {
	File string // its whole path
	Line int
}

// cut returns what Asterisk reads of a line.
func (c *comments) cut(line string, at Place) string {
	var kept strings.Builder
	begun := c.depth // what is outside of blocks counts, and on a line that begins behind an end without a beginning nothing
	for from := 0; ; {
		i := strings.IndexByte(line[from:], ';')
		if i < 0 {
			c.keep(&kept, line[from:], begun)
			return kept.String()
		}
		i += from
		switch rest := line[i:]; {
		case i > from && line[i-1] == '\\':
			c.keep(&kept, line[from:i-1]+";", begun)
			from = i + 1
		case strings.HasPrefix(rest, ";--") && !strings.HasPrefix(rest, ";---"):
			c.keep(&kept, line[from:i], begun)
			c.begin(at)
			from = i + len(";--")
		case i >= from+2 && line[i-2:i] == "--":
			c.keep(&kept, line[from:i+1], begun)
			if c.end(at); c.depth == 0 {
				begun = 0
			}
			from = i + 1
		case c.depth == 0:
			c.keep(&kept, line[from:i], begun)
			return kept.String()
		default:
			c.keep(&kept, line[from:i+1], begun)
			from = i + 1
		}
	}
}

// keep adds a part of a line that is outside of all blocks.
func (c *comments) keep(kept *strings.Builder, part string, begun int) {
	if begun == 0 && c.depth <= 0 {
		kept.WriteString(part)
	}
}

func (c *comments) begin(at Place) { c.turn(1, at) }

func (c *comments) end(at Place) { c.turn(-1, at) }

// turn opens or closes a block; what closes one takes its place off the list, also where there was one end too many.
func (c *comments) turn(by int, at Place) {
	if c.depth*by >= 0 {
		c.open = append(c.open, at)
	} else {
		c.open = c.open[:len(c.open)-1]
	}
	c.depth += by
}
