package main_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dialbridge/dialbridge"

// rooms says which of our own rooms the code of a room may import. A new room is
// added here, and in .golangci.yml, together with its reason in docs/adr.
var rooms = map[string][]string{
	".":                {"*"}, // main wires everybody and is imported by nobody
	"lab":              {"*"}, // the demo runs the whole product
	"ami":              {},
	"ari":              {},
	"internal/baddisk": {},
	"internal/conf":    {},
	"internal/etc":     {},
	"internal/golden":  {},
	"internal/trial":   {},
	"internal/httpd":   {},
	"internal/sd":      {},
	"internal/sqlite":  {},
	"pbx":              {"ami", "ari", "internal/sqlite"},
	"webhook":          {"internal/sqlite"},
	"audit":            {"internal/sqlite"},
	"blacklist":        {"pbx", "internal/sqlite"},
	"coocenter":        dialect,
	"ola":              dialect,
	"xswitch":          dialect,
	"xapi":             dialect,
	"console":          dialect,
}

// dialect translates: decode, one core call, encode.
var dialect = []string{"pbx", "blacklist", "webhook", "audit", "internal/httpd"}

// testOnly is what no code of the daemon may import.
var testOnly = []string{"ami/amitest", "ari/aritest", "internal/golden", "internal/baddisk", "internal/trial", "lab", "lab/browser", "lab/phone"}

// source is one Go file of the repository.
type source struct {
	path string // from the root, with slashes
	room string
	test bool
	text []byte
	file *ast.File
}

// sources parses all Go files of the repository.
func sources(t *testing.T) (list []source, set *token.FileSet) {
	t.Helper()
	set = token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); entry.IsDir() && name != "." && err == nil {
			return filepath.SkipDir // another module: an example for users
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		list = append(list, source{name, roomOf(path.Dir(name)), strings.HasSuffix(name, "_test.go"), text, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no Go file found")
	}
	return list, set
}

// roomOf is the room that a folder belongs to: itself or the one above it.
func roomOf(dir string) string {
	for dir != "." {
		if _, ok := rooms[dir]; ok {
			return dir
		}
		if path.Dir(dir) == "." || path.Dir(dir) == "internal" {
			return dir
		}
		dir = path.Dir(dir)
	}
	return "."
}

// ours lists the folders of this module that a file imports.
func (s source) ours() []string {
	var list []string
	for _, spec := range s.file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted it, so it is a string
		}
		if name == module {
			list = append(list, ".")
		} else if dir, ok := strings.CutPrefix(name, module+"/"); ok {
			list = append(list, dir)
		}
	}
	return list
}

func TestImports(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		allowed, known := rooms[s.room]
		if !known {
			t.Errorf("%s: the room %s is not in the table of arch_test.go", s.path, s.room)
			continue
		}
		for _, dir := range s.ours() {
			room := roomOf(dir)
			switch {
			case room == ".":
				t.Errorf("%s imports main", s.path)
			case s.test || room == s.room || slices.Contains(allowed, "*"):
			case !slices.Contains(allowed, room):
				t.Errorf("%s imports %s, which %s may not (it may: %v)", s.path, dir, s.room, allowed)
			}
			if !s.test && slices.Contains(testOnly, dir) && s.room != "lab" {
				t.Errorf("%s imports %s, which is for tests", s.path, dir)
			}
		}
	}
}

func TestClientsNeedTheStandardLibraryOnly(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		if s.room != "ami" || s.test {
			continue
		}
		for _, spec := range s.file.Imports {
			if first, _, _ := strings.Cut(strings.Trim(spec.Path.Value, `"`), "/"); strings.Contains(first, ".") &&
				!strings.HasPrefix(spec.Path.Value, `"`+module+"/ami") {
				t.Errorf("%s imports %s", s.path, spec.Path.Value)
			}
		}
	}
}

func TestDialectsWriteNoSQL(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		if s.test || !slices.Equal(rooms[s.room], dialect) {
			continue
		}
		for _, spec := range s.file.Imports {
			if spec.Path.Value == `"database/sql"` {
				t.Errorf("%s imports database/sql", s.path)
			}
		}
	}
}

func TestNames(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		switch strings.TrimSuffix(s.file.Name.Name, "_test") {
		case "util", "utils", "common", "helper", "helpers", "types", "misc", "base", "shared", "manager", "impl":
			t.Errorf("%s: package %s says nothing; name it after its subject", s.path, s.file.Name.Name)
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		if lines := bytes.Count(s.text, []byte("\n")); lines > 600 {
			t.Errorf("%s has %d lines; split it by subject at 600 at the latest", s.path, lines)
		}
	}
}

// TestFuzzTargetsHaveCorpora holds that what breaks a parser is looked for from real input on, and that the repository
// does not grow by it.
func TestFuzzTargetsHaveCorpora(t *testing.T) {
	list, _ := sources(t)
	for _, s := range list {
		if !s.test || !slices.Contains([]string{"ami", "ari", "internal/conf"}, path.Dir(s.path)) {
			continue
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			dir := filepath.Join(path.Dir(s.path), "testdata", "fuzz", f.Name.Name)
			files, err := os.ReadDir(dir)
			if err != nil || len(files) < 5 {
				t.Errorf("%s: %d inputs in %s (%v)", s.path, len(files), dir, err)
			}
			for _, file := range files {
				if info, err := file.Info(); err != nil || info.Size() > 4<<10 {
					t.Errorf("%s/%s has more than 4 KiB (%v)", dir, file.Name(), err)
				}
			}
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	list, set := sources(t)
	for _, s := range list {
		for _, group := range s.file.Comments {
			for _, word := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s: %s", set.Position(group.Pos()), word)
				}
			}
		}
	}
}

func TestNoInitAndNoSkip(t *testing.T) {
	list, set := sources(t)
	for _, s := range list {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init; call it from main, where it can be seen", set.Position(f.Pos()))
			}
		}
		if !s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, call.Sel.Name) {
				t.Errorf("%s: a test that is skipped proves nothing", set.Position(call.Pos()))
			}
			return true
		})
	}
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	list, set := sources(t)
	documented := map[string]bool{}
	for _, s := range list {
		if s.test {
			continue
		}
		dir := path.Dir(s.path)
		documented[dir] = documented[dir] || s.file.Doc != nil
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", set.Position(name.Pos()), name.Name)
			}
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: the package has no comment", dir)
		}
	}
}

// undocumented lists the exported names of a declaration that no comment speaks of.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && slices.Contains([]string{"Error", "String", "Unwrap"}, d.Name.Name) {
			return nil // the standard library says what they do
		}
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || receiver(d).IsExported()) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var list []*ast.Ident
		for _, spec := range d.Specs {
			list = append(list, undocumentedSpec(d, spec)...)
		}
		return list
	}
	return nil
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) []*ast.Ident {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			return []*ast.Ident{s.Name}
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil && d.Doc == nil {
			return slices.DeleteFunc(slices.Clone(s.Names), func(name *ast.Ident) bool { return !name.IsExported() })
		}
	}
	return nil
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e
		default:
			return &ast.Ident{}
		}
	}
}
