package pbx

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// campaignSchema holds campaigns and their numbers. A number whose call is not ” and whose ended is 0 is being dialled, or talks.
var campaignSchema = []string{
	`CREATE TABLE pbx_campaigns (
		id      INTEGER PRIMARY KEY AUTOINCREMENT,
		created INTEGER NOT NULL, -- milliseconds since 1970, as all times
		stopped INTEGER NOT NULL DEFAULT 0,
		note    TEXT    NOT NULL DEFAULT '',
		body    BLOB    NOT NULL  -- CampaignPlan
	);
	CREATE TABLE pbx_campaign_numbers (
		campaign   INTEGER NOT NULL REFERENCES pbx_campaigns (id) ON DELETE CASCADE,
		seq        INTEGER NOT NULL,
		number     TEXT    NOT NULL,
		state      TEXT    NOT NULL DEFAULT 'waiting', -- an Outcome
		call       TEXT    NOT NULL DEFAULT '',
		cause      TEXT    NOT NULL DEFAULT '',
		cause_text TEXT    NOT NULL DEFAULT '',
		tried      INTEGER NOT NULL DEFAULT 0,
		answered   INTEGER NOT NULL DEFAULT 0,
		ended      INTEGER NOT NULL DEFAULT 0,
		PRIMARY KEY (campaign, seq)
	) WITHOUT ROWID;
	CREATE INDEX pbx_campaign_numbers_state ON pbx_campaign_numbers (campaign, state);
	CREATE INDEX pbx_campaign_numbers_open  ON pbx_campaign_numbers (campaign, seq) WHERE call <> '' AND ended = 0`,
}

// writePatience is how long a mark on a number may take: the disk may be full.
const writePatience = 30 * time.Second

// load reads what an earlier process left: campaigns that go on, and calls of which it was not seen how they end.
func (c *Campaigns) load(ctx context.Context) error {
	db := c.store.Reader()
	if err := sqlite.Each(ctx, db, `SELECT id, body FROM pbx_campaigns AS c WHERE EXISTS (
		SELECT 1 FROM pbx_campaign_numbers WHERE campaign = c.id AND state = 'waiting') ORDER BY id`, func(row *sql.Rows) error {
		r := &running{}
		var body []byte
		if err := row.Scan(&r.id, &body); err != nil {
			return err
		}
		c.active = append(c.active, r)
		return json.Unmarshal(body, &r.plan)
	}); err != nil {
		return err
	}
	return sqlite.Each(ctx, db, `SELECT n.campaign, n.seq, n.number, n.call, n.tried, n.state = 'answered', c.body, EXISTS (SELECT 1 FROM pbx_calls WHERE call = n.call)
		FROM pbx_campaign_numbers AS n JOIN pbx_campaigns AS c ON c.id = n.campaign WHERE n.call <> '' AND n.ended = 0`, func(row *sql.Rows) error {
		var a openAttempt
		var number string
		var call CallID
		var tried int64
		var body []byte
		var over bool
		if err := row.Scan(&a.campaign, &a.seq, &number, &call, &tried, &a.picked, &body, &over); err != nil {
			return err
		}
		var plan CampaignPlan
		if err := json.Unmarshal(body, &plan); err != nil {
			return err
		}
		a.tried = ofMillis(tried)
		c.open[call] = a
		if !over {
			c.sw.expectAgain(call, plan.order(number, c.sw.isOutside(number)))
		}
		return nil
	})
}

// insert stores a campaign with all its numbers. When it is stored it begins, even if who asked has gone.
func (c *Campaigns) insert(ctx context.Context, plan *CampaignPlan, numbers []string) (id int64, err error) {
	body, err := json.Marshal(plan)
	if err != nil {
		return 0, err
	}
	dropped := 0
	apply := func(tx *sql.Tx) (err error) {
		ctx := context.Background()
		if dropped, err = c.fits(tx, len(numbers)); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO pbx_campaigns (created, body) VALUES (?, ?)`, time.Now().UnixMilli(), body)
		if err != nil {
			return err
		}
		if id, err = res.LastInsertId(); err != nil {
			return err
		}
		add, err := tx.PrepareContext(ctx, `INSERT INTO pbx_campaign_numbers (campaign, seq, number) VALUES (?, ?, ?)`)
		if err != nil {
			return err
		}
		for i, n := range numbers {
			if _, err = add.ExecContext(ctx, id, i+1, n); err != nil {
				break
			}
		}
		return errors.Join(err, add.Close())
	}
	type result struct {
		id  int64
		err error
	}
	done := make(chan result, 1)
	c.store.SubmitIfRoom(apply, func(err error) {
		if err == nil {
			c.logDropped(dropped)
			c.begin(&running{id: id, plan: *plan})
		}
		done <- result{id, err}
	})
	select {
	case r := <-done:
		return r.id, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	}
}

// next returns the number of a campaign that is dialled next; "" when none waits.
func (c *Campaigns) nextOf(ctx context.Context, campaign int64) (seq int, number string, err error) {
	err = c.store.Reader().QueryRowContext(ctx, `SELECT seq, number FROM pbx_campaign_numbers WHERE campaign = ? AND state = 'waiting' ORDER BY seq LIMIT 1`,
		campaign).Scan(&seq, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	return seq, number, err
}

// write changes one number, and waits until that is on the disk whatever happens to who wants it. It reports whether the number was as the
// query expects it.
func (c *Campaigns) write(ctx context.Context, query string, args ...any) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	var changed int64
	err := c.store.Do(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(context.Background(), query, args...)
		if err == nil {
			changed, err = res.RowsAffected()
		}
		return err
	})
	return err == nil && changed > 0, err
}

// mark notes that a number is about to be dialled. After it the number is never dialled again, unless unmark takes it back.
func (c *Campaigns) mark(ctx context.Context, id CallID, a openAttempt) (bool, error) {
	return c.write(ctx, `UPDATE pbx_campaign_numbers SET state = 'dialing', call = ?, tried = ? WHERE campaign = ? AND seq = ? AND state = 'waiting'`,
		id, a.tried.UnixMilli(), a.campaign, a.seq)
}

// unmark takes a mark back: Asterisk was certainly not told.
func (c *Campaigns) unmark(ctx context.Context, id CallID, a openAttempt) error {
	_, err := c.write(ctx, `UPDATE pbx_campaign_numbers SET call = '', tried = 0,
		state = CASE (SELECT stopped FROM pbx_campaigns WHERE id = campaign) WHEN 0 THEN 'waiting' ELSE 'stopped' END
		WHERE campaign = ? AND seq = ? AND call = ?`, a.campaign, a.seq, id)
	return err
}

// pass notes why a number is not dialled.
func (c *Campaigns) pass(ctx context.Context, campaign int64, seq int, why Outcome) error {
	now := time.Now().UnixMilli()
	_, err := c.write(ctx, `UPDATE pbx_campaign_numbers SET state = ?, tried = ?, ended = ? WHERE campaign = ? AND seq = ? AND state = 'waiting'`,
		why, now, now, campaign, seq)
	return err
}

// picked notes that a number has answered.
func (c *Campaigns) picked(ctx context.Context, a openAttempt, at time.Time) error {
	_, err := c.write(ctx, `UPDATE pbx_campaign_numbers SET state = 'answered', answered = ? WHERE campaign = ? AND seq = ? AND ended = 0`,
		at.UnixMilli(), a.campaign, a.seq)
	return err
}

// finish notes how a call ended.
func (c *Campaigns) finish(ctx context.Context, a openAttempt, n *CampaignNumber) error {
	_, err := c.write(ctx, `UPDATE pbx_campaign_numbers SET state = ?, cause = ?, cause_text = ?, ended = ?,
		answered = CASE answered WHEN 0 THEN ? ELSE answered END WHERE campaign = ? AND seq = ? AND ended = 0`,
		n.Outcome, n.Cause, n.CauseText, n.Ended.UnixMilli(), millis(n.Answered), a.campaign, a.seq)
	return err
}

// stop ends a campaign; note says why, "" for by wish.
func (c *Campaigns) stop(ctx context.Context, id int64, note string) error {
	known := false
	err := c.store.DoIfRoom(ctx, func(tx *sql.Tx) error {
		ctx := context.Background()
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pbx_campaigns WHERE id = ?)`, id).Scan(&known); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE pbx_campaigns SET stopped = 1, note = ? WHERE id = ? AND EXISTS (
			SELECT 1 FROM pbx_campaign_numbers WHERE campaign = id AND state = 'waiting')`, note, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE pbx_campaign_numbers SET state = 'stopped', ended = ? WHERE campaign = ? AND state = 'waiting'`,
			time.Now().UnixMilli(), id)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("campaign: %w", err)
	case !known:
		return fmt.Errorf("%w: campaign %d", ErrNotFound, id)
	}
	c.forget(id)
	return nil
}

// longestCampaignList bounds List.
const longestCampaignList = 100

// List returns the newest campaigns, the newest first: at most 100, and of batch alone where it is not "".
func (c *Campaigns) List(ctx context.Context, batch string) ([]Campaign, error) {
	return c.read(ctx, `SELECT id, created, stopped, note, body FROM pbx_campaigns
		WHERE ? = '' OR json_extract(body, '$.batch') = ? ORDER BY id DESC LIMIT ?`, batch, batch, longestCampaignList)
}

// Get returns one campaign; ErrNotFound when there is none.
func (c *Campaigns) Get(ctx context.Context, id int64) (Campaign, error) {
	list, err := c.read(ctx, `SELECT id, created, stopped, note, body FROM pbx_campaigns WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: campaign %d", ErrNotFound, id)
	}
	if err != nil {
		return Campaign{}, err
	}
	return list[0], nil
}

func (c *Campaigns) read(ctx context.Context, query string, args ...any) (list []Campaign, err error) {
	err = sqlite.Each(ctx, c.store.Reader(), query, func(row *sql.Rows) error {
		x := Campaign{Counts: map[Outcome]int{}}
		var created int64
		var body []byte
		if err := row.Scan(&x.ID, &created, &x.Stopped, &x.Note, &body); err != nil {
			return err
		}
		x.Created = ofMillis(created)
		list = append(list, x)
		return json.Unmarshal(body, &list[len(list)-1].CampaignPlan)
	}, args...)
	for i := range list {
		if err == nil {
			err = c.count(ctx, list[i].ID, list[i].Counts)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("campaigns: %w", err)
	}
	return list, nil
}

// count tells how many numbers of a campaign have come to what, from the indexes alone.
func (c *Campaigns) count(ctx context.Context, id int64, into map[Outcome]int) error {
	err := sqlite.Each(ctx, c.store.Reader(), `SELECT state, count(*) FROM pbx_campaign_numbers WHERE campaign = ? GROUP BY state`, func(row *sql.Rows) error {
		var is Outcome
		var n int
		err := row.Scan(&is, &n)
		into[is] = n
		return err
	}, id)
	if err != nil {
		return err
	}
	var talking int
	if err := c.store.Reader().QueryRowContext(ctx, `SELECT count(*) FROM pbx_campaign_numbers
		WHERE campaign = ? AND call <> '' AND ended = 0 AND state = 'answered'`, id).Scan(&talking); err != nil {
		return err
	}
	if talking = min(talking, into[OutcomeAnswered]); talking > 0 { // one may have ended between the two
		into[OutcomeTalking], into[OutcomeAnswered] = talking, into[OutcomeAnswered]-talking
	}
	return nil
}

// Numbers returns the numbers of a campaign in their order: those beyond the place after, and at most so many.
func (c *Campaigns) Numbers(ctx context.Context, id int64, after, limit int) (list []CampaignNumber, err error) {
	err = sqlite.Each(ctx, c.store.Reader(), `SELECT seq, number, state, call, cause, cause_text, tried, answered, ended FROM pbx_campaign_numbers
		WHERE campaign = ? AND seq > ? ORDER BY seq LIMIT ?`, func(row *sql.Rows) error {
		var n CampaignNumber
		var at [3]int64
		if err := row.Scan(&n.Seq, &n.Number, &n.Outcome, &n.Call, &n.Cause, &n.CauseText, &at[0], &at[1], &at[2]); err != nil {
			return err
		}
		n.Tried, n.Answered, n.Ended = ofMillis(at[0]), ofMillis(at[1]), ofMillis(at[2])
		list = append(list, n)
		return nil
	}, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("numbers of a campaign: %w", err)
	}
	return list, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func ofMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}
