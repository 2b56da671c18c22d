package console

import (
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
)

// Bounds of sessions.
const (
	maxSessions   = 1024 // of all together; beyond it the one longest unused ends
	maxOfOne      = 16   // of one user or agent; beyond it his oldest ends
	sessionIdle   = 30 * time.Minute
	sessionOldest = 12 * time.Hour // a shift
)

// session is one log-in in a browser.
type session struct {
	digest  [sha256.Size]byte // of the token in the cookie
	csrf    string            // what a page sends with its changes, and another site cannot know
	who     pbx.Identity
	name    string
	role    pbx.Role
	created time.Time
	ctx     context.Context // ends with the session
	end     context.CancelFunc

	used time.Time // guarded by sessions.mu
	open int       // requests under way, likewise: who watches a stream is not idle
}

// sessions are those that are open. They are kept in memory alone and end with the process; of their tokens only the digests are kept, so that
// the time of a look-up tells nothing of them. Its methods are safe for concurrent use.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	known map[[sha256.Size]byte]*list.Element
	order *list.List // of *session, the longest unused first
}

func newSessions() *sessions {
	return &sessions{now: time.Now, known: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

// Sessions is how many people are logged in to the pages.
func (a *API) Sessions() int { return a.sessions.count() }

// count is how many are open.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(s.now())
	return len(s.known)
}

// begin opens a session and returns the token for its cookie.
func (s *sessions) begin(who pbx.Identity, name string, role pbx.Role) (token string, fresh *session) {
	token = rand.Text() + rand.Text()
	now := s.now()
	fresh = &session{digest: sha256.Sum256([]byte(token)), csrf: rand.Text(), who: who, name: name, role: role, created: now, used: now}
	fresh.ctx, fresh.end = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	var oldest *list.Element
	his := 0
	for e := s.order.Front(); e != nil; e = e.Next() {
		if x := e.Value.(*session); same(x.who, who) {
			his++
			if oldest == nil || x.created.Before(oldest.Value.(*session).created) {
				oldest = e
			}
		}
	}
	if his >= maxOfOne {
		s.drop(oldest)
	}
	if s.order.Len() >= maxSessions {
		s.drop(s.order.Front())
	}
	s.known[fresh.digest] = s.order.PushBack(fresh)
	return token, fresh
}

// same reports whether two are one and the same.
func same(a, b pbx.Identity) bool { return a.Exten == b.Exten && a.User.ID == b.User.ID }

// sweep drops the sessions that are over. The caller holds mu.
func (s *sessions) sweep(now time.Time) {
	for e := s.order.Front(); e != nil; {
		next := e.Next()
		if s.over(e.Value.(*session), now) {
			s.drop(e)
		}
		e = next
	}
}

// over reports whether a session has run out. The caller holds mu.
func (s *sessions) over(x *session, now time.Time) bool {
	return now.Sub(x.created) >= sessionOldest || x.open == 0 && now.Sub(x.used) >= sessionIdle
}

// drop ends a session. The caller holds mu.
func (s *sessions) drop(e *list.Element) {
	x := s.order.Remove(e).(*session)
	delete(s.known, x.digest)
	x.end()
}

// enter finds the session of a token for one request; leave must be called when that is over. It is nil where there is none.
func (s *sessions) enter(token string) (x *session, leave func()) {
	digest := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[digest]
	if e == nil {
		return nil, nil
	}
	x = e.Value.(*session)
	now := s.now()
	if s.over(x, now) {
		s.drop(e)
		return nil, nil
	}
	x.used = now
	x.open++
	s.order.MoveToBack(e)
	return x, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.open--
		x.used = s.now()
	}
}

// close ends one session.
func (s *sessions) close(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.known[x.digest]; e != nil {
		s.drop(e)
	}
}

// expel ends all sessions of one.
func (s *sessions) expel(who pbx.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.order.Front(); e != nil; {
		next := e.Next()
		if same(e.Value.(*session).who, who) {
			s.drop(e)
		}
		e = next
	}
}
