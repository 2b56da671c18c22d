package ola

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/google/uuid"

	"github.com/dialbridge/dialbridge/pbx"
)

// maxTokens bounds what clients that log in for every request can make the daemon keep.
const maxTokens = 4096

// token is what is known of one.
type token struct {
	digest [sha256.Size]byte
	user   pbx.User
}

// tokens are the tokens that were given out. They are kept in memory alone: they end with the process, as the document says. Only their
// digests are kept, so that the time of a look-up tells nothing of them.
type tokens struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*list.Element
	order *list.List // of token, the oldest first
}

func newTokens() *tokens {
	return &tokens{known: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

// issue draws a token for a user; beyond maxTokens the oldest ends.
func (t *tokens) issue(user pbx.User) string {
	text := uuid.NewString()
	digest := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[digest] = t.order.PushBack(token{digest, user})
	for t.order.Len() > maxTokens {
		t.drop(t.order.Front())
	}
	return text
}

// drop ends a token. The caller holds mu.
func (t *tokens) drop(element *list.Element) {
	old, _ := t.order.Remove(element).(token)
	delete(t.known, old.digest)
}

// user is who was given a token that is valid.
func (t *tokens) user(text string) (user pbx.User, valid bool) {
	digest := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.known[digest]
	if element == nil {
		return pbx.User{}, false
	}
	known, ok := element.Value.(token)
	return known.user, ok
}

// end ends all tokens of a user.
func (t *tokens) end(user int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for element := t.order.Front(); element != nil; {
		next := element.Next()
		if known, ok := element.Value.(token); ok && known.user.ID == user {
			t.drop(element)
		}
		element = next
	}
}
