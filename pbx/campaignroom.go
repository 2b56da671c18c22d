package pbx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Bounds of what all campaigns take together.
const (
	mostNumbers  = 200_000 // stored, of all campaigns
	bytesANumber = 100     // that a number takes in the file, with its part of the indexes
)

// fits makes room for so many numbers more: campaigns that are over go, the oldest first. What is stored before that is left as it is when it
// fails: ErrManyNumbers or ErrNoRoom. Events keep the last twentieth of the file, within which the oldest of them are dropped.
func (c *Campaigns) fits(tx *sql.Tx, numbers int) (dropped int, err error) {
	var stored int
	if err := tx.QueryRowContext(context.Background(), `SELECT count(*) FROM pbx_campaign_numbers`).Scan(&stored); err != nil {
		return 0, err
	}
	for stored+numbers > c.most {
		n, ok, err := dropOver(tx, time.Now(), -1)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, ErrManyNumbers
		}
		stored, dropped = stored-n, dropped+1
	}
	need := int64(numbers) * bytesANumber
	more, err := c.clear(tx, need)
	if err != nil {
		return 0, err
	}
	left, capacity, err := c.store.Room(tx)
	if err == nil && left < capacity/20+need {
		err = ErrNoRoom
	}
	return dropped + more, err
}

// clear deletes campaigns that are over, the oldest first, while less than an eighth of the file and so many bytes are free. Events are
// dropped when less than a twentieth is: long after them.
func (c *Campaigns) clear(tx *sql.Tx, need int64) (dropped int, err error) {
	for {
		left, capacity, err := c.store.Room(tx)
		if err != nil || left >= capacity/8+need {
			return dropped, err
		}
		_, ok, err := dropOver(tx, time.Now(), -1)
		if err != nil || !ok {
			return dropped, err
		}
		dropped++
	}
}

// dropOver deletes the oldest campaign that is over and was made before a time, or the first so many of its numbers; a limit of -1 is none. It
// reports how many numbers went, and whether there was such a campaign.
func dropOver(tx *sql.Tx, before time.Time, limit int) (numbers int, found bool, err error) {
	ctx := context.Background()
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id FROM pbx_campaigns AS c WHERE created <= ?
		AND NOT EXISTS (SELECT 1 FROM pbx_campaign_numbers WHERE campaign = c.id AND state = 'waiting')
		AND NOT EXISTS (SELECT 1 FROM pbx_campaign_numbers WHERE campaign = c.id AND call <> '' AND ended = 0) ORDER BY id LIMIT 1`,
		before.UnixMilli()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("campaign that is over: %w", err)
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM pbx_campaign_numbers WHERE campaign = ? AND seq IN (
		SELECT seq FROM pbx_campaign_numbers WHERE campaign = ? ORDER BY seq LIMIT ?)`, id, id, limit)
	if err != nil {
		return 0, true, err
	}
	n, err := res.RowsAffected()
	if err != nil || limit >= 0 && n == int64(limit) {
		return int(n), true, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM pbx_campaigns WHERE id = ?`, id)
	return int(n), true, err
}

// prune deletes a piece of the oldest campaign that is over and older than campaigns are kept, and any that are over while the file is nearly
// full.
func (c *Campaigns) prune(now time.Time) {
	c.delete(func(tx *sql.Tx) (int, error) {
		dropped, err := c.clear(tx, 0)
		if err == nil {
			_, _, err = dropOver(tx, now.Add(-c.keep), prunePiece)
		}
		return dropped, err
	})
}

// clearSoon is called when a write has failed for want of space. One campaign goes at least: that write may be larger than what is free.
func (c *Campaigns) clearSoon() {
	c.delete(func(tx *sql.Tx) (int, error) {
		dropped, err := c.clear(tx, 0)
		if err != nil || dropped > 0 {
			return dropped, err
		}
		_, found, err := dropOver(tx, time.Now(), -1)
		if found {
			dropped = 1
		}
		return dropped, err
	})
}

func (c *Campaigns) delete(do func(*sql.Tx) (int, error)) {
	var dropped int
	c.store.SubmitAhead(func(tx *sql.Tx) (err error) {
		dropped, err = do(tx)
		return err
	}, func(err error) {
		if err != nil {
			c.log.Error("old campaigns could not be deleted", "error", err)
			return
		}
		c.logDropped(dropped)
	})
}

// logDropped says that campaigns went before their time.
func (c *Campaigns) logDropped(n int) {
	if n > 0 {
		c.log.Warn("campaigns that are over were deleted to make room", "campaigns", n)
	}
}
