package trial

import "strings"

// Fault is a value that no parameter may have, in a form and in JSON; an empty Form is a fault that a form cannot have.
type Fault struct{ Name, Form, JSON string }

// Faults are tried on every parameter of every dialect.
var Faults = []Fault{
	{"too long", strings.Repeat("8", 8193), `"` + strings.Repeat("8", 8193) + `"`},
	{"not UTF-8", "%ff%fe", "\"\xff\xfe\""},
	{"broken UTF-8", "808%c3", "\"808\xc3\""},
	{"overlong UTF-8", "%c0%af", "\"\xc0\xaf\""},
	{"line end", "808%0d%0aAction:+Originate", `"808\r\nAction: Originate"`},
	{"line end at the end", "808%0a", `"808\n"`},
	{"NUL", "808%00", `"808\u0000"`},
	{"escape", "808%1b[2J", `"808\u001b[2J"`},
	{"C1 control", "808%c2%85", `"808\u0085"`},
	{"badly encoded", "808%zz", `"808\uZZZZ"`},
	{"object", "", `{"number":"808"}`},
	{"list of objects", "", `[{"number":"808"}]`},
}
