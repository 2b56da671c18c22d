package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// Group is an outbound group: a dialplan context, by its name in the dialplan, in which the calls of its extensions begin.
type Group struct {
	K          string // name of the context
	Name       string // for people
	Made       bool   // the context was made here, and leads to all that the dial context has; else it is the dialplan's own
	StartURL   string // prompt before keys are read after a call, how often it is played, and the one after it: kept, without effect
	Times      string
	EndURL     string
	HangupDTMF string // whose keys: 0 nobody's, 1 the agent's, 2 the other side's
	Lines      int    // how many lines are in it
	Created    time.Time
	Updated    time.Time
}

// ErrNoGroup says that an outbound group does not exist.
var ErrNoGroup = errors.New("no such group")

var groupTimes = regexp.MustCompile(`^[0-9]{0,2}$`)

const maxGroupText = 400 // bytes

// check says what is wrong with a group that is to be written.
func (g *Group) check() error {
	if err := checkContext(g.K); err != nil {
		return &InvalidError{Field: "k", Reason: "must be 1 to 79 of letters, digits, _ and -, and not begin with " + ownPrefix}
	}
	for _, x := range []struct{ field, text string }{{"v", g.Name}, {"start_url", g.StartURL}, {"end_url", g.EndURL}} {
		if len(x.text) > maxGroupText || !utf8.ValidString(x.text) || strings.ContainsFunc(x.text, unicode.IsControl) {
			return &InvalidError{Field: x.field, Reason: "must be printable UTF-8 of " + strconv.Itoa(maxGroupText) + " bytes at most"}
		}
	}
	if !groupTimes.MatchString(g.Times) {
		return &InvalidError{Field: "times", Reason: "must be a number from 0 to 99"}
	}
	if !slices.Contains([]string{"0", "1", "2"}, g.HangupDTMF) {
		return &InvalidError{Field: "hangup_dtmf", Reason: "0, 1 or 2"}
	}
	return nil
}

// Groups returns all outbound groups by their names in the dialplan. It needs no Asterisk.
func (d *Directory) Groups(ctx context.Context) ([]Group, error) { return d.groups(ctx, `1 = 1`) }

// Group returns one of them; ErrNoGroup when there is none. It needs no Asterisk.
func (d *Directory) Group(ctx context.Context, k string) (Group, error) {
	list, err := d.groups(ctx, `k = ?`, k)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: %s", ErrNoGroup, k)
	}
	if err != nil {
		return Group{}, err
	}
	return list[0], nil
}

// AddGroup makes an outbound group. Where the dialplan has no context of that name, one is made that leads to all that the dial context has;
// one that is there becomes a group and is never changed. Errors: InvalidError, ErrExists, LackError, ErrOffline, ErrUnknown, ErrForbidden,
// RefusedError.
func (d *Directory) AddGroup(ctx context.Context, g Group) error {
	if err := g.check(); err != nil {
		return err
	}
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := d.Group(ctx, g.K); !errors.Is(err, ErrNoGroup) {
		if err == nil {
			err = fmt.Errorf("%w: group %s", ErrExists, g.K)
		}
		return err
	}
	exists, empty, _, err := d.contextOf(ctx, g.K)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	if g.Made = !exists || empty; g.Made {
		if err := d.fill(ctx, g.K); err != nil {
			return err
		}
	}
	err = d.insertGroup(ctx, g)
	if err != nil && g.Made {
		err = errors.Join(err, d.drain(ctx, g.K))
	}
	return err
}

// SetGroup replaces what is kept of a group; an empty name stays as it is. It needs no Asterisk. Errors: InvalidError, ErrNoGroup.
func (d *Directory) SetGroup(ctx context.Context, g Group) error {
	if err := g.check(); err != nil {
		return err
	}
	if _, err := d.Group(ctx, g.K); err != nil {
		return err
	}
	return d.exec(ctx, `UPDATE pbx_contexts SET v = coalesce(nullif(?, ''), v), start_url = ?, end_url = ?, times = ?, hangup_dtmf = ?, updated = ?
		WHERE k = ?`, g.Name, g.StartURL, g.EndURL, g.Times, g.HangupDTMF, micros(time.Now()), g.K)
}

// RemoveGroup removes a group in which no line is. Its context goes with it where it was made here. Errors: ErrNoGroup, ErrInUse, LackError,
// ErrOffline, ErrUnknown, ErrForbidden, RefusedError.
func (d *Directory) RemoveGroup(ctx context.Context, k string) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	g, err := d.Group(ctx, k)
	if err != nil {
		return err
	}
	if g.Lines > 0 {
		return fmt.Errorf("%w: group %s", ErrInUse, k)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	if g.Made {
		if err := d.drain(ctx, k); err != nil {
			return err
		}
	}
	return d.exec(ctx, `DELETE FROM pbx_contexts WHERE k = ?`, k)
}

// needGroup checks the context of a line. One that the dialplan has and no group names becomes a group.
func (d *Directory) needGroup(ctx context.Context, k string) error {
	_, err := d.Group(ctx, k)
	if !errors.Is(err, ErrNoGroup) {
		return err
	}
	exists, empty, _, err := d.contextOf(ctx, k)
	if err != nil {
		return err
	}
	if !exists || empty {
		return &InvalidError{Field: "context", Reason: "no such outbound group"}
	}
	return d.insertGroup(ctx, Group{K: k, Name: k, HangupDTMF: "0"})
}

func (d *Directory) groups(ctx context.Context, where string, args ...any) (list []Group, err error) {
	err = sqlite.Each(ctx, d.store.Reader(), `SELECT k, v, made, start_url, end_url, times, hangup_dtmf, created, updated,
		(SELECT count(*) FROM pbx_directory WHERE context = k) FROM pbx_contexts WHERE `+where+` ORDER BY k`, func(row *sql.Rows) error {
		var g Group
		var created, updated int64
		err := row.Scan(&g.K, &g.Name, &g.Made, &g.StartURL, &g.EndURL, &g.Times, &g.HangupDTMF, &created, &updated, &g.Lines)
		g.Created, g.Updated = ofMicros(created), ofMicros(updated)
		list = append(list, g)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return list, nil
}

func (d *Directory) insertGroup(ctx context.Context, g Group) error {
	now := micros(time.Now())
	return d.exec(ctx, `INSERT INTO pbx_contexts (k, v, made, start_url, end_url, times, hangup_dtmf, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.K, g.Name, g.Made, g.StartURL, g.EndURL, g.Times, g.HangupDTMF, now, now)
}
