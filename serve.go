package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/sd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
)

const (
	readyPatience = 30 * time.Second // how long the start waits for Asterisk before systemd is told to go on
	stopPatience  = 10 * time.Second // the end of everything
	lowSpace      = 96 << 20         // bytes; the database keeps a reserve and its log beside the file
	beatPatience  = 10 * time.Second // a loop that is silent for longer is dead
	settled       = 5 * time.Second  // after the start; what only the start needed is then given back
	requestGrace  = 2 * time.Second  // for HTTP requests under way at the end; with the sender's 5 s and the Logoff's 1 s it fits
)

// serve runs the daemon until ctx ends. mend: a damaged database is recovered first.
func (p program) serve(ctx context.Context, load func() (*conf.Config, error), mend bool) error {
	hup := make(chan os.Signal, 1) // from the beginning: a reload that comes early must not end the process
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	cfg, err := load()
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	log := newLogger(p.errs, cfg.Log, p.getenv, level)
	notify, err := sd.New(p.getenv)
	if err != nil {
		return err
	}
	d, err := build(ctx, cfg, log, level, mend)
	if damaged := (*sqlite.DamagedError)(nil); errors.As(err, &damaged) {
		return fmt.Errorf("%w; it was left as it is: `dialbridge recover` keeps it aside and saves what can be read, `dialbridge serve --recover` goes on after that", err)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // told to end before it had begun
	}
	if err != nil {
		return err
	}
	d.load, d.notify = load, notify
	return d.run(ctx, hup)
}

func (p program) getenv(name string) string {
	for _, v := range p.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// run starts all parts, keeps them company and stops them in order. A signal on hup is a wish to reload.
func (d *daemon) run(ctx context.Context, hup <-chan os.Signal) error {
	line := d.start()
	d.log.Info("dialbridge is running", "version", version, "http", d.server.Addr().String(), "asterisk", d.cfg.AMI.Address)
	d.warn()
	failed := d.attend(ctx, line, hup)
	if err := d.notify.Stopping(); err != nil {
		d.log.Warn("systemd was not told", "error", err)
	}
	d.log.Info("dialbridge is stopping")
	err := line.stop(stopPatience)
	if closeErr := d.db.Close(); err == nil {
		err = closeErr
	}
	if failed != nil {
		return failed
	}
	return err
}

// attend waits for the end: a signal, or a part that ended by itself. Meanwhile it reloads and reports to systemd.
func (d *daemon) attend(ctx context.Context, line *lineup, hup <-chan os.Signal) error {
	ready := time.NewTicker(100 * time.Millisecond)
	defer ready.Stop()
	began := time.Now()
	start := time.NewTimer(settled)
	defer start.Stop()
	var dogs <-chan time.Time
	if every := d.notify.WatchdogEvery(); every > 0 {
		dog := time.NewTicker(every)
		defer dog.Stop()
		dogs = dog.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case end := <-line.ended:
			return fmt.Errorf("%s ended by itself: %w", end.name, end.err)
		case <-hup:
			d.reload(ctx)
		case <-start.C:
			debug.FreeOSMemory() // an idle daemon allocates so little that the collector would not run for long
		case <-dogs:
			d.watchdog(ctx)
		case <-ready.C:
			if st := d.sw.Status(); st.Complete || time.Since(began) > readyPatience {
				d.tell(d.notify.Ready(d.summary()))
				ready.Stop()
			}
		}
	}
}

func (d *daemon) tell(err error) {
	if err != nil {
		d.log.Warn("systemd was not told", "error", err)
	}
}

// summary is the one line that systemctl status shows.
func (d *daemon) summary() string {
	st := d.sw.Status()
	if !st.Complete {
		return "running without asterisk: " + st.Reason
	}
	return fmt.Sprintf("following asterisk %s, %d extensions", st.Asterisk, st.Extens)
}

// watchdog tells systemd that the daemon lives, while the loop over Asterisk's events and the database do.
func (d *daemon) watchdog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if beat := d.sw.Status().Beat; time.Since(beat) > beatPatience {
		d.log.Error("event loop is stuck", "last_beat", beat)
		return
	}
	if err := d.db.Healthy(ctx); err != nil {
		d.log.Error("database does not answer", "error", err)
		return
	}
	d.tell(d.notify.Watchdog())
	d.tell(d.notify.Status(d.summary()))
}

// warn says what an administrator should know about the configuration.
func (d *daemon) warn() {
	g := d.cfg.General
	if g.WebKey == "" && !loopback(g.BindAddr) {
		d.log.Warn("WEBKEY is empty: everybody who reaches this address may command the telephone system", "bindaddr", g.BindAddr, "bindport", g.BindPort)
	}
	if free := d.db.Stats().FreeBytes; free > 0 && free < lowSpace {
		d.log.Warn("little space is left on the disk of the database: events may not be stored", "free_bytes", free, "wanted_bytes", int64(lowSpace), "path", d.cfg.Store.Path)
	}
	if g.URL == "" && len(d.cfg.Receivers) == 0 {
		d.log.Warn("URL is empty: events are not pushed")
	}
	d.warnOfLeft()
}

// warnOfLeft names the receivers that are not configured any more while events wait for them.
func (d *daemon) warnOfLeft() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := d.outbox.Status(ctx)
	if err != nil {
		d.log.Error("outbox cannot be read", "error", err)
		return
	}
	for _, r := range st.Receivers {
		if !r.Configured && r.Total.Pending+r.Total.Dead > 0 {
			d.log.Warn("receiver is not configured any more: what is stored for it is kept, until it is configured again or dropped with `dialbridge outbox drop`",
				"receiver", r.Name, "pending", r.Total.Pending, "dead", r.Total.Dead)
		}
	}
}

// reload reads the configuration again. A file that does not load changes nothing.
func (d *daemon) reload(ctx context.Context) {
	d.tell(d.notify.Reloading())
	defer func() { d.tell(d.notify.Ready(d.summary())) }()
	fresh, err := d.load()
	if err != nil {
		d.log.Error("configuration was not reloaded, the running one stays", "error", err)
		return
	}
	if err := d.configure(ctx, fresh); err != nil {
		d.log.Error("configuration was not reloaded, the running one stays", "error", err)
		return
	}
	for _, key := range conf.Changed(d.started, fresh) {
		d.log.Warn("change takes effect after a restart", "key", key)
	}
	d.cfg = fresh
	d.log.Info("configuration was reloaded")
	d.warn()
}
