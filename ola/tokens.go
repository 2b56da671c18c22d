package ola

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/google/uuid"
)

// maxTokens bounds what clients that log in for every request can make the daemon keep.
const maxTokens = 4096

// tokens are the tokens that were given out. They are kept in memory alone: they end with the process, as the document says. Only their
// digests are kept, so that the time of a look-up tells nothing of them.
type tokens struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*list.Element
	order *list.List // of digests, the oldest first
}

func newTokens() *tokens {
	return &tokens{known: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

// issue draws a token; beyond maxTokens the oldest ends.
func (t *tokens) issue() string {
	token := uuid.NewString()
	digest := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[digest] = t.order.PushBack(digest)
	for t.order.Len() > maxTokens {
		oldest, _ := t.order.Remove(t.order.Front()).([sha256.Size]byte)
		delete(t.known, oldest)
	}
	return token
}

func (t *tokens) valid(token string) bool {
	digest := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[digest] != nil
}
