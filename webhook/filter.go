package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

const defaultLimit = 100

// ErrFilter is wrapped by what is said of a filter that cannot be used.
var ErrFilter = errors.New("webhook: unusable filter")

// Filter chooses events; empty fields choose all.
type Filter struct {
	Receiver string // by name
	State    string // as in Record.State; several with commas between them
	Kind     string
	Key      string
	Since    time.Time // At is not before it
	Until    time.Time // At is before it
	Before   int64     // List only: Seq below it, the last one of the page before; 0 = from the newest
	Limit    int       // List only: at most this many, 0 = 100
}

var stateNames = [...]state{statePending, stateDelivered, stateDead, stateExpired, stateDropped}

func stateByName(name string) (state, error) {
	for _, s := range stateNames {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: no state %q; there are pending, delivered, dead, expired, dropped", ErrFilter, name)
}

func (f Filter) states() (list []state, err error) {
	if f.State == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(f.State, ",") {
		s, err := stateByName(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// where returns the condition but for the receiver. States are literals in it, and a single one is compared with =, so that the partial
// indexes are seen.
func (f Filter) where() (cond string, args []any, err error) {
	states, err := f.states()
	if err != nil {
		return "", nil, err
	}
	conds := []string{"1"}
	if len(states) == 1 {
		conds = append(conds, fmt.Sprintf("state = %d", states[0]))
	} else if len(states) > 1 {
		numbers := make([]string, len(states))
		for i, s := range states {
			numbers[i] = strconv.Itoa(int(s))
		}
		conds = append(conds, "state IN ("+strings.Join(numbers, ", ")+")")
	}
	add := func(cond string, arg any) { conds, args = append(conds, cond), append(args, arg) }
	if f.Kind != "" {
		add("kind = ?", f.Kind)
	}
	if f.Key != "" {
		add("key = ?", f.Key)
	}
	if !f.Since.IsZero() {
		add("at >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		add("at < ?", f.Until.UnixMilli())
	}
	return strings.Join(conds, " AND "), args, nil
}

// Count returns how many events of each kind a filter chooses. It looks at every row that may fit: seconds on a long queue.
func (o *Outbox) Count(ctx context.Context, f Filter) (map[string]int, error) {
	cond, args, err := f.where()
	if err != nil {
		return nil, err
	}
	if f.Receiver != "" {
		among, err := o.chosen(f.Receiver)
		if err != nil {
			return nil, err
		}
		cond, args = cond+" AND receiver = ?", append(args, among[0].id)
	}
	counts := map[string]int{}
	err = sqlite.Each(ctx, o.db.Reader(), `SELECT kind, count(*) FROM webhook_outbox WHERE `+cond+` GROUP BY kind`, func(row *sql.Rows) error {
		var kind string
		var n int
		err := row.Scan(&kind, &n)
		counts[kind] = n
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("webhook: count: %w", err)
	}
	return counts, nil
}
