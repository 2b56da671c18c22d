package coocenter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ami/amitest"
)

const order = "src=808&dst=809"

// ordered sends an order for a call under a key.
func (r *rig) ordered(key, body string) (status int, text, replayed string) {
	r.t.Helper()
	w := r.request(http.MethodPost, pathClick, body, "Idempotency-Key", key)
	return w.Code, w.Body.String(), w.Header().Get("Idempotency-Replayed")
}

func TestRepeatedOrderDialsOnce(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	_, first, replayed := r.ordered("k1", order)
	if !strings.Contains(first, `"uniqueid":"`) || replayed != "" {
		t.Fatalf("first answer %q, replayed %q", first, replayed)
	}
	if status, again, replayed := r.ordered("k1", "dst=809&src=808"); status != 200 || again != first || replayed != "true" {
		t.Errorf("repeated: %d %q, replayed %q", status, again, replayed)
	}
	if status, text, _ := r.ordered("k1", "src=808&dst=810"); status != 422 || !strings.Contains(text, "was used with other parameters") {
		t.Errorf("other parameters: %d %s", status, text)
	}
	if _, other, _ := r.ordered("k2", order); other == first {
		t.Error("another key gets the answer of the first")
	}
	if _, other, _ := r.ordered("", order); other == first {
		t.Error("no key gets the answer of the first")
	}
	if status, text, _ := r.ordered(strings.Repeat("k", 256), order); status != 400 || !strings.Contains(text, "too long") {
		t.Errorf("long key: %d %s", status, text)
	}
	if n := len(r.fake.Received("Originate")); n != 3 {
		t.Errorf("%d calls were ordered, want 3", n)
	}
}

func TestFailedOrderMayBeRepeated(t *testing.T) {
	fake := newAsterisk(t)
	fake.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Error", "Message", "Permission denied") })
	r := newRig(t, fake, rigOptions{}).complete()
	if status, text, _ := r.ordered("k", order); status != 500 {
		t.Fatalf("refused: %d %s", status, text)
	}
	fake.Handle("Originate", func(s *amitest.Session, a ami.Action) { s.Respond(a, "Success") })
	if status, text, replayed := r.ordered("k", order); status != 200 || replayed != "" {
		t.Errorf("repeated: %d %s, replayed %q", status, text, replayed)
	}
}

// TestUnknownOrderIsNotRepeated: a client that repeats after 504 must not make a second call.
func TestUnknownOrderIsNotRepeated(t *testing.T) {
	fake := newAsterisk(t)
	fake.Handle("Originate", func(s *amitest.Session, _ ami.Action) { s.Close() })
	r := newRig(t, fake, rigOptions{}).complete()
	status, first, _ := r.ordered("k", order)
	if status != 504 {
		t.Fatalf("lost: %d %s", status, first)
	}
	fake.WaitLogins(2)
	r.complete()
	if status, again, replayed := r.ordered("k", order); status != 504 || again != first || replayed != "true" {
		t.Errorf("repeated: %d %s, replayed %q", status, again, replayed)
	}
	if n := len(fake.Received("Originate")); n != 1 {
		t.Errorf("%d calls were ordered", n)
	}
}

// slowAsterisk takes one order: come is closed when it has, and it answers when answer is.
func slowAsterisk(t *testing.T) (fake *asterisk, come, answer chan struct{}) {
	t.Helper()
	fake, come, answer = newAsterisk(t), make(chan struct{}), make(chan struct{})
	fake.Handle("Originate", func(s *amitest.Session, a ami.Action) {
		close(come)
		<-answer
		s.Respond(a, "Success")
	})
	return fake, come, answer
}

func TestOrdersAtOnceDialOnce(t *testing.T) {
	fake, come, answer := slowAsterisk(t)
	r := newRig(t, fake, rigOptions{}).complete()
	texts := make([]string, 8)
	var all sync.WaitGroup
	for i := range texts {
		all.Go(func() { _, texts[i], _ = r.ordered("k", order) })
	}
	<-come
	close(answer)
	all.Wait()
	for _, text := range texts {
		if text != texts[0] || !strings.Contains(text, "success") {
			t.Errorf("answers %q and %q", texts[0], text)
		}
	}
}

// TestOrderOfAClientThatGoesAway: who has lost the answer gets it when asking again, not "unknown".
func TestOrderOfAClientThatGoesAway(t *testing.T) {
	fake, come, answer := slowAsterisk(t)
	r := newRig(t, fake, rigOptions{}).complete()
	ctx, leave := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, pathClick, strings.NewReader(order))
	req.Header.Set("Idempotency-Key", "k")
	var gone sync.WaitGroup
	gone.Go(func() { r.web.ServeHTTP(httptest.NewRecorder(), req) })
	<-come
	leave()
	close(answer)
	if status, text, replayed := r.ordered("k", order); status != 200 || replayed != "true" {
		t.Errorf("asked again: %d %s, replayed %q", status, text, replayed)
	}
	gone.Wait()
	if n := len(fake.Received("Originate")); n != 1 {
		t.Errorf("%d calls were ordered", n)
	}
}
