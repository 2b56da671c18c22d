package pbx

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	settleEvery   = 5 * time.Minute // between two comparisons with Asterisk's file
	standingEvery = 2 * time.Second // between two looks whether the dialplan was emptied
	settleTime    = time.Minute     // for one comparison
)

// settling is what belongs to the loop of a Directory.
type settling struct {
	*Directory
	since    time.Time // of the link on which was last compared
	compared time.Time
	looked   time.Time
	failed   string
}

// Run keeps Asterisk as the table says until ctx ends: after each connection, when the outcome of a change was not learnt, and when the
// dialplan was emptied. The switch and the store must be run by the caller.
func (d *Directory) Run(ctx context.Context) error {
	var greeting sync.WaitGroup
	greeting.Go(func() { d.greet(ctx) })
	defer greeting.Wait()
	s := settling{Directory: d}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
			s.compared = time.Time{}
			s.round(ctx)
		case <-tick.C:
			s.round(ctx)
		}
	}
}

// round does what is due.
func (s *settling) round(ctx context.Context) {
	st := s.sw.Status()
	if !st.Complete {
		return
	}
	now := time.Now()
	compare := st.Since != s.since || now.Sub(s.compared) >= settleEvery
	if !compare && now.Sub(s.looked) < standingEvery {
		return
	}
	s.looked = now
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := s.settle(ctx, compare)
	if err == nil && compare {
		s.since, s.compared = st.Since, now
	}
	s.report(ctx, err)
}

// report logs a failure once. The loss of the link is no news.
func (s *settling) report(ctx context.Context, err error) {
	text := ""
	if err != nil && !errors.Is(err, ErrOffline) && !errors.Is(err, ErrUnknown) && !errors.Is(err, context.Canceled) {
		text = err.Error()
	}
	if text != "" && text != s.failed {
		s.log.WarnContext(ctx, "extensions made here could not be compared with asterisk, it is tried again", "error", text)
	}
	if err == nil || text != "" {
		s.failed = text
	}
}

// settle brings Asterisk to what the table says.
func (d *Directory) settle(ctx context.Context, compare bool) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	lines, err := d.lines(ctx, `1 = 1`)
	if err != nil {
		return err
	}
	groups, err := d.Groups(ctx)
	if err != nil || len(lines)+len(groups) == 0 {
		return err
	}
	p := d.sw.plant()
	if compare && len(lines) > 0 {
		if err := d.compare(ctx, p, lines); err != nil {
			return err
		}
	}
	if ok, err := d.standing(ctx); ok || err != nil {
		return err
	}
	if lines, err = d.Lines(ctx); err != nil {
		return err
	}
	for _, g := range groups {
		if !g.Made {
			continue
		}
		if err := d.fill(ctx, g.K); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if err := d.connect(ctx, p, l); err != nil {
			return err
		}
	}
	return d.mark(ctx)
}

// compare looks at each line. One that was being made when its outcome was lost is taken out, one that is gone or differs is made again,
// and one that somebody else has made is left alone.
func (d *Directory) compare(ctx context.Context, p plant, lines []Line) error {
	own, err := d.ownCategories(ctx, p)
	if err != nil {
		return err
	}
	unmade, err := d.lines(ctx, `made = 0`)
	if err != nil {
		return err
	}
	pending := map[Exten]bool{}
	for _, l := range unmade {
		pending[l.Exten] = true
	}
	known := map[string]bool{}
	for _, l := range lines {
		known[string(l.Exten)] = true
		if err := d.compareLine(ctx, p, l, own[string(l.Exten)], pending[l.Exten]); err != nil {
			return err
		}
	}
	for name := range own {
		if !known[name] {
			d.say(ctx, slog.LevelWarn, "asterisk has an extension that bears the mark of another database, it is left alone", name)
		}
	}
	return nil
}

func (d *Directory) compareLine(ctx context.Context, p plant, l Line, c category, pending bool) error {
	if pending {
		d.log.InfoContext(ctx, "extension whose making was not completed is taken out", "extension", l.Exten)
		return d.uproot(ctx, p, l)
	}
	doubted := d.isDoubted(l.Exten)
	if !p.same(c, l) {
		if ok, err := d.plantAgain(ctx, p, l, p.made(c, l)); !ok || err != nil {
			return err
		}
	} else if !doubted {
		return nil
	}
	if err := d.connect(ctx, p, l); err != nil {
		return err
	}
	if doubted || l.Transfer != "" {
		if err := d.forward(ctx, l); err != nil {
			return err
		}
	}
	d.trust(l.Exten)
	return nil
}

// plantAgain writes a line that Asterisk has not, or has otherwise; false when somebody else has made a phone of that number.
func (d *Directory) plantAgain(ctx context.Context, p plant, l Line, replace bool) (bool, error) {
	if !replace {
		foreign, err := d.foreign(ctx, p, l.Exten)
		if err != nil {
			return false, err
		}
		if foreign {
			d.say(ctx, slog.LevelWarn, "asterisk has an extension of that number which was not made here, it is left alone", string(l.Exten))
			return false, nil
		}
	}
	d.log.InfoContext(ctx, "extension is made again in asterisk", "extension", l.Exten)
	l.revision++
	if err := d.write(ctx, p, l, replace); err != nil {
		return false, err
	}
	return true, d.updateLine(ctx, l)
}

// staleWait is how long a phone may stay that the file has no more, once it was read again.
const staleWait = 500 * time.Millisecond

// foreign reports whether somebody else has made a phone of a number. One that is in no file of ours may still be there because nobody
// came to have the file read.
func (d *Directory) foreign(ctx context.Context, p plant, n Exten) (bool, error) {
	if err := d.ready(ctx, p); err != nil {
		return false, err
	}
	c, err := d.category(ctx, p, n)
	if err != nil || c != nil {
		return c != nil, err
	}
	if there, err := d.present(ctx, p.tech, n); !there || err != nil {
		return there, err
	}
	err = d.load(ctx, p, n, staleWait, d.absent(p, n))
	var stays *RefusedError
	if errors.As(err, &stays) {
		return true, nil
	}
	return false, err
}

// say logs something about a number once.
func (d *Directory) say(ctx context.Context, level slog.Level, text, n string) {
	d.mu.Lock()
	again := d.told[text+n]
	d.told[text+n] = true
	d.mu.Unlock()
	if !again {
		d.log.Log(ctx, level, text, "extension", n) //nolint:sloglint // the text is one of two constants
	}
}
