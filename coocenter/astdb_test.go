package coocenter

import (
	"strings"
	"sync"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// handleAstDB gives the fake Asterisk a database of its own.
func (f *asterisk) handleAstDB() {
	var mu sync.Mutex
	entries := map[string]string{}
	path := func(a ami.Action) string { return "/" + a.Get("Family") + "/" + a.Get("Key") }
	handle := func(name string, do func(s *amitest.Session, a ami.Action)) {
		f.Handle(name, func(s *amitest.Session, a ami.Action) {
			mu.Lock()
			defer mu.Unlock()
			do(s, a)
		})
	}
	handle("DBPut", func(s *amitest.Session, a ami.Action) {
		entries[path(a)] = a.Get("Val")
		s.Respond(a, "Success", "Message", "Updated database successfully")
	})
	handle("DBDel", func(s *amitest.Session, a ami.Action) {
		if _, ok := entries[path(a)]; !ok {
			s.Respond(a, "Error", "Message", "Database entry could not be deleted")
			return
		}
		delete(entries, path(a))
		s.Respond(a, "Success", "Message", "Key deleted successfully")
	})
	handle("DBGet", func(s *amitest.Session, a ami.Action) {
		value, ok := entries[path(a)]
		if !ok {
			s.Respond(a, "Error", "Message", "Database entry not found")
			return
		}
		s.List(a, "Result will follow", []ami.Message{amitest.NewEvent("DBGetResponse", "Family", a.Get("Family"), "Key", a.Get("Key"), "Val", value)}, "DBGetComplete")
	})
	handle("DBGetTree", func(s *amitest.Session, a ami.Action) {
		var items []ami.Message
		for key, value := range entries {
			if strings.HasPrefix(key, "/"+a.Get("Family")+"/") {
				items = append(items, amitest.NewEvent("DBGetTreeResponse", "Key", key, "Val", value))
			}
		}
		s.List(a, "Result will follow", items, "DBGetTreeComplete")
	})
}
