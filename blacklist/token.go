package blacklist

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialbridge/dialbridge/pbx"
)

// Where the token is kept in AstDB.
const (
	tokenFamily = "dialbridge"
	tokenKey    = "blacklist"
)

// token names a state of AstDB: an epoch, begun whenever the two sides had to be merged anew, and a count of the
// batches since. The zero value is none.
type token struct {
	epoch string
	count int64
}

// String returns the token as it is written to AstDB.
func (t token) String() string { return t.epoch + "." + strconv.FormatInt(t.count, 10) }

func parseToken(text string) token {
	epoch, count, _ := strings.Cut(text, ".")
	c, err := strconv.ParseInt(count, 10, 64)
	if err != nil || epoch == "" || c < 0 {
		return token{}
	}
	return token{epoch, c}
}

// covers reports whether an AstDB with the token seen has everything that a table with token t takes it to have. A batch is
// written to AstDB first, so AstDB may be one ahead.
func (t token) covers(seen token) bool {
	return t.epoch != "" && t.epoch == seen.epoch && (seen.count == t.count || seen.count == t.count+1)
}

// next returns the token of the batch after an AstDB with the token seen.
func (t token) next(seen token) token {
	if t.covers(seen) {
		return token{t.epoch, seen.count + 1}
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return token{hex.EncodeToString(b[:]), 1}
}

// save makes t the table's token.
func (t token) save(tx *sql.Tx) error {
	_, err := exec(tx, `INSERT INTO blacklist_token (id, epoch, count) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, count = excluded.count`, t.epoch, t.count)
	return err
}

// loadToken returns the table's token.
func loadToken(ctx context.Context, db *sql.DB) (t token, err error) {
	err = db.QueryRowContext(ctx, `SELECT epoch, count FROM blacklist_token`).Scan(&t.epoch, &t.count)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return token{}, fmt.Errorf("black list: %w", err)
	}
	return t, nil
}

// readToken returns AstDB's token.
func readToken(ctx context.Context, sw *pbx.Switch) (token, error) {
	text, err := sw.DBGet(ctx, tokenFamily, tokenKey)
	if errors.Is(err, pbx.ErrNotFound) {
		return token{}, nil
	}
	return parseToken(text), err
}
