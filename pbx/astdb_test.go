package pbx

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

// answerWith gives an action one answer for all.
func answerWith(f *fake, action, response, message string) {
	f.Handle(action, func(s *amitest.Session, a ami.Action) { s.Respond(a, response, "Message", message) })
}

func TestDBTree(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	f.Handle("DBGetTree", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Result will follow", []ami.Message{
			amitest.NewEvent("DBGetTreeResponse", "Key", "/black_list/1", "Val", "1"),
			amitest.NewEvent("DBGetTreeResponse", "Key", "/black_list/a/b", "Val", "张三 "),
			amitest.NewEvent("DBGetTreeResponse", "Key", "/blackXlist/2", "Val", "1"),
			amitest.NewEvent("DBGetTreeResponse", "Key", "/BLACK_LIST/3", "Val", "1"),
		}, "DBGetTreeComplete")
	})
	got, err := r.sw.DBTree(ctx, "black_list")
	if diff := cmp.Diff([]DBEntry{{"1", "1"}, {"a/b", "张三 "}}, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}

	answerWith(f, "DBGetTree", "Error", "Invalid/unknown command: DBGetTree. Use Action: ListCommands to show available commands.")
	f.Handle("Command", func(s *amitest.Session, a ami.Action) {
		s.Respond(a, "Success", "Message", "Command output follows",
			"Output", "/black_list/1                                     : 1                        ",
			"Output", "/black_list/2                                     : sells: windows           ",
			"Output", "/black_list/3                                     :                          ",
			"Output", "/blackXlist/4                                     : 1                        ",
			"Output", "3 results found.")
	})
	got, err = r.sw.DBTree(ctx, "black_list")
	if diff := cmp.Diff([]DBEntry{{"1", "1"}, {"2", "sells: windows"}, {"3", ""}}, got); diff != "" || err != nil {
		t.Errorf("by the console: %v, (-want +got):\n%s", err, diff)
	}

	answerWith(f, "DBGetTree", "Error", "Permission denied")
	if _, err := r.sw.DBTree(ctx, "x"); !errors.Is(err, ErrForbidden) {
		t.Errorf("without the privilege: %v", err)
	}
}

func TestDBEntry(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	f.Handle("DBGet", func(s *amitest.Session, a ami.Action) {
		s.List(a, "Result will follow", []ami.Message{
			amitest.NewEvent("DBGetResponse", "Family", "x", "Key", "1", "Val", "one"),
		}, "DBGetComplete")
	})
	if value, err := r.sw.DBGet(ctx, "x", "1"); value != "one" || err != nil {
		t.Errorf("get: %q, %v", value, err)
	}
	answerWith(f, "DBDel", "Error", "Database entry could not be deleted")
	var refused *RefusedError
	if err := r.sw.DBDel(ctx, "x", "1"); !errors.As(err, &refused) {
		t.Errorf("del of what is there and stays: %v", err)
	}
	answerWith(f, "DBGet", "Error", "Database entry not found")
	if _, err := r.sw.DBGet(ctx, "x", "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := r.sw.DBDel(ctx, "x", "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("del: %v", err)
	}
	answerWith(f, "DBDel", "Success", "Key deleted successfully")
	if err := r.sw.DBDel(ctx, "x", "1"); err != nil {
		t.Errorf("del: %v", err)
	}
	answerWith(f, "DBPut", "Success", "Updated database successfully")
	if err := r.sw.DBPut(ctx, "x", "1", "v v"); err != nil {
		t.Errorf("put: %v", err)
	}
	if a := f.Wait("DBPut"); a.Get("Family") != "x" || a.Get("Key") != "1" || a.Get("Val") != "v v" {
		t.Errorf("sent %v", a)
	}
	answerWith(f, "DBPut", "Error", "Permission denied")
	if err := r.sw.DBPut(ctx, "x", "1", "v"); !errors.Is(err, ErrForbidden) {
		t.Errorf("without the privilege: %v", err)
	}
	f.Handle("DBPut", func(*amitest.Session, ami.Action) { f.Drop() })
	if err := r.sw.DBPut(ctx, "x", "1", "v"); !errors.Is(err, ErrUnknown) {
		t.Errorf("lost: %v", err)
	}
}

func TestDBHostile(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	for _, c := range [][3]string{
		{"", "1", "v"}, {"a/b", "1", "v"}, {"a%", "1", "v"}, {"x", "", "v"}, {"x", "1/2", "v"}, {"x", "1\r\nVal: 2", "v"}, {"x\n", "1", "v"},
		{"x", "1", "v\r\n\r\nAction: Originate"}, {"x", "1", "v\x00"},
	} {
		var invalid *InvalidError
		if err := r.sw.DBPut(ctx, c[0], c[1], c[2]); !errors.As(err, &invalid) {
			t.Errorf("put %q: %v", c, err)
		}
		if c[2] != "v" {
			continue
		}
		if _, err := r.sw.DBGet(ctx, c[0], c[1]); !errors.As(err, &invalid) {
			t.Errorf("get %q: %v", c, err)
		}
		if err := r.sw.DBDel(ctx, c[0], c[1]); !errors.As(err, &invalid) {
			t.Errorf("del %q: %v", c, err)
		}
	}
	var invalid *InvalidError
	if _, err := r.sw.DBTree(ctx, "x; core stop now"); !errors.As(err, &invalid) {
		t.Errorf("tree: %v", err)
	}
	for _, name := range []string{"DBPut", "DBGet", "DBDel", "DBGetTree"} {
		if got := f.Received(name); len(got) != 0 {
			t.Errorf("asterisk was asked: %v", got)
		}
	}
}

func TestEndChannel(t *testing.T) {
	f := newFake(t)
	r := newRig(t, f, filepath.Join(t.TempDir(), "a.db"))
	r.complete()
	ctx := context.Background()
	answerWith(f, "Hangup", "Success", "Channel Hungup")
	if err := r.sw.EndChannel(ctx, "1795286434.47", CauseRejected); err != nil {
		t.Error(err)
	}
	if a := f.Wait("Hangup"); a.Get("Channel") != "1795286434.47" || a.Get("Cause") != "21" {
		t.Errorf("sent %v", a)
	}
	answerWith(f, "Hangup", "Error", "No such channel")
	if err := r.sw.EndChannel(ctx, "1.1", CauseRejected); !errors.Is(err, ErrNotFound) {
		t.Errorf("ended before: %v", err)
	}
	for _, id := range []string{"", "/.*/", "/^PJSIP/", "1.1\r\nCause: 16", "1 1"} {
		var invalid *InvalidError
		if err := r.sw.EndChannel(ctx, id, CauseRejected); !errors.As(err, &invalid) {
			t.Errorf("end %q: %v", id, err)
		}
	}
	r.stop()
	if err := r.sw.EndChannel(ctx, "1.1", CauseRejected); !errors.Is(err, ErrOffline) {
		t.Errorf("without a link: %v", err)
	}
}
