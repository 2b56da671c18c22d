package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/dialbridge/dialbridge/ami"
	"github.com/dialbridge/dialbridge/ari"
	"github.com/dialbridge/dialbridge/audit"
	"github.com/dialbridge/dialbridge/blacklist"
	"github.com/dialbridge/dialbridge/console"
	"github.com/dialbridge/dialbridge/coocenter"
	"github.com/dialbridge/dialbridge/internal/conf"
	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/internal/sd"
	"github.com/dialbridge/dialbridge/internal/sqlite"
	"github.com/dialbridge/dialbridge/ola"
	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// daemon holds all parts and how they hang together.
type daemon struct {
	cfg     *conf.Config // the running one; replaced by reload on the goroutine of run
	started *conf.Config // as at the start: what needs a restart is compared with it
	load    func() (*conf.Config, error)
	log     *slog.Logger
	level   *slog.LevelVar
	notify  *sd.Notifier

	db       *sqlite.DB
	client   *ami.Client
	ari      *ari.Client // nil when it is not configured
	sw       *pbx.Switch
	outbox   *webhook.Outbox
	senders  *webhook.Senders
	events   *coocenter.Events
	numbers  *blacklist.Numbers
	api      *coocenter.API
	ola      *ola.API
	dir      *pbx.Directory
	campaign *pbx.Campaigns
	users    *pbx.Users
	audit    *audit.Log
	console  *console.API
	toolbar  *console.Toolbar
	server   *httpd.Server
	failures *httpd.Limiter
}

// build makes all parts, opens the database and the listeners, and starts nothing.
func build(ctx context.Context, cfg *conf.Config, log *slog.Logger, level *slog.LevelVar, mend bool) (*daemon, error) {
	d := &daemon{cfg: cfg, started: cfg, log: log, level: level}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: cfg.Store.Path, MaxSize: cfg.Store.MaxSize, Recover: mend, Logger: log})
	if err != nil {
		return nil, err
	}
	d.db = db
	if err := d.assemble(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

func (d *daemon) assemble(ctx context.Context) (err error) {
	d.client = ami.New(amiOptions(d.cfg, d.log))
	if d.cfg.ARI.Username != "" {
		d.ari = ari.New(ariOptions(d.cfg))
	}
	if d.sw, err = pbx.New(ctx, pbx.Options{
		Client: d.client, Store: d.db, Rules: pbxRules(d.cfg), Keep: d.cfg.Store.Keep, CDRCSV: d.cfg.Calls.CDRCSV,
		Barred: blacklist.Barred(d.db), Logger: d.log,
	}); err != nil {
		return err
	}
	if d.dir, err = pbx.NewDirectory(ctx, pbx.DirectoryOptions{Switch: d.sw, Store: d.db, Logger: d.log}); err != nil {
		return err
	}
	if d.outbox, err = webhook.NewOutbox(ctx, d.db, webhook.OutboxOptions{Keep: d.cfg.Store.Keep, Logger: d.log}); err != nil {
		return err
	}
	d.senders = webhook.NewSenders(d.outbox, webhook.SenderOptions{Logger: d.log})
	if err = d.senders.Configure(ctx, targets(d.cfg)); err != nil {
		return err
	}
	d.events = coocenter.NewEvents(d.sw, d.outbox, coocenterRules(d.cfg), d.log)
	d.failures = httpd.NewLimiter(d.cfg.HTTP.AuthFailures.Count, d.cfg.HTTP.AuthFailures.Per)
	if d.numbers, err = blacklist.New(ctx, blacklist.Options{Switch: d.sw, Store: d.db, Guard: d.cfg.Blacklist.Guard, Logger: d.log}); err != nil {
		return err
	}
	if d.audit, err = audit.New(ctx, audit.Options{Store: d.db, Logger: d.log}); err != nil {
		return err
	}
	zone := d.cfg.General.Timezone
	d.api = coocenter.NewAPI(coocenter.APIOptions{
		Switch: d.sw, Numbers: d.numbers, Outbox: d.outbox, Failures: d.failures, Rules: coocenterRules(d.cfg),
		Now: func() time.Time { return time.Now().In(zone) }, Logger: d.log,
	})
	options := httpOptions(d.cfg, d.parts(), d.log)
	options.Audit = func(n httpd.Note) {
		d.audit.Note(audit.Entry{
			At: n.At, Who: n.Who, Remote: n.Remote.String(), Action: n.Action, Params: n.Params, Status: n.Status, BrokeOff: n.BrokeOff, Taken: n.Taken, RequestID: n.RequestID,
		})
	}
	options.Metrics = []httpd.Expose{metrics{d}.expose, exposeGo, exposeProcess}
	if d.server, err = httpd.New(options); err != nil {
		return err
	}
	d.api.Mount(d.server)
	if err = d.assembleOLA(ctx); err != nil {
		return err
	}
	d.console = console.New(console.Options{
		Switch: d.sw, Users: d.users, Audit: d.audit, Numbers: d.numbers, Zone: zone,
		Outbox: d.outbox, Senders: d.senders, Failures: d.failures, Access: d.access(d.cfg),
		Recordings: consoleRecordings(d.cfg), Logger: d.log,
	})
	d.console.Mount(d.server)
	return d.server.Listen(ctx)
}

// assembleOLA makes the dialect with users. A password that was drawn for the first one is shown here, this once: only its hash is kept.
func (d *daemon) assembleOLA(ctx context.Context) error {
	users, drawn, err := pbx.NewUsers(ctx, pbx.UsersOptions{Store: d.db, AdminPassword: string(d.cfg.General.AdminPassword)})
	if err != nil {
		return err
	}
	d.users = users
	if drawn != "" {
		d.log.Warn("user admin was made with a password of its own, which is shown this once; [general] admin_password sets another one", "user", "admin", "password", drawn)
	}
	if d.campaign, err = pbx.NewCampaigns(ctx, pbx.CampaignsOptions{Switch: d.sw, Store: d.db, Keep: d.cfg.Store.Keep, Logger: d.log}); err != nil {
		return err
	}
	d.ola = ola.NewAPI(ola.APIOptions{
		Switch: d.sw, Directory: d.dir, Campaigns: d.campaign, Users: users, Numbers: d.numbers, Failures: d.failures, Rules: olaRules(d.cfg, d.cfg.General.Timezone), Logger: d.log,
	})
	d.ola.Mount(d.server)
	d.toolbar = console.NewToolbar(console.ToolbarOptions{Switch: d.sw, Users: users, Failures: d.failures, Settings: toolbarSettings(d.cfg)})
	d.toolbar.Mount(d.server)
	return nil
}

func toolbarSettings(cfg *conf.Config) console.ToolbarSettings {
	return console.ToolbarSettings{PopURL: string(cfg.General.PopURL), PopFrame: cfg.Toolbar.Pop == "frame", Answer: cfg.Toolbar.Answer, Origins: cfg.Toolbar.Origins}
}

// start runs all parts. The order of the list is the order of the end: nothing new comes in, what was read is applied,
// encoded and stored, what is being sent is finished, and the database is last.
func (d *daemon) start() *lineup {
	l := newLineup(
		&part{name: "console", run: d.console.Run},
		&part{name: "http", run: d.server.Run},
		&part{name: "sockets", run: d.ola.Run},
		&part{name: "campaigns", run: d.campaign.Run},
		&part{name: "blacklist", run: d.numbers.Run},
		&part{name: "directory", run: d.dir.Run},
		&part{name: "asterisk", run: d.client.Run},
		&part{name: "switch", run: d.sw.Run, drain: true},
		&part{name: "events", run: d.events.Run, drain: true, after: d.sw.Settle},
		&part{name: "senders", run: d.senders.Run},
		&part{name: "database", run: d.db.Run},
	)
	l.start()
	return l
}

// configure takes over what may change at run time. It is checked first; an error changes nothing.
func (d *daemon) configure(ctx context.Context, cfg *conf.Config) error {
	for _, t := range targets(cfg) {
		if err := t.Check(); err != nil {
			return err
		}
	}
	if err := d.server.Configure(httpSettings(cfg)); err != nil {
		return err
	}
	if err := d.senders.Configure(ctx, targets(cfg)); err != nil {
		return err
	}
	d.level.Set(levelOf(cfg.Log.Level))
	d.outbox.SetKeep(cfg.Store.Keep)
	rules := pbxRules(cfg)
	rules.Location = d.started.General.Timezone // with the day of the token it changes at a restart
	d.sw.Configure(rules)
	dialect := coocenterRules(cfg)
	dialect.Location = rules.Location
	d.events.Configure(dialect)
	d.api.Configure(dialect)
	d.ola.Configure(olaRules(cfg, rules.Location))
	d.console.Configure(d.access(cfg))
	d.toolbar.Configure(toolbarSettings(cfg))
	d.console.ConfigureRecordings(consoleRecordings(cfg))
	d.numbers.Configure(cfg.Blacklist.Guard)
	d.failures.Configure(cfg.HTTP.AuthFailures.Count, cfg.HTTP.AuthFailures.Per)
	return nil
}

// access is the token of the day for what lies outside of the dialects, nil without a key. The day changes with the time zone at the start.
func (d *daemon) access(cfg *conf.Config) console.Access {
	key, zone := string(cfg.General.WebKey), d.started.General.Timezone
	if key == "" {
		return nil
	}
	return func(h http.Header) bool { return coocenter.Authorized(h, key, time.Now().In(zone)) }
}

func amiOptions(cfg *conf.Config, log *slog.Logger) ami.Options {
	o := ami.Options{
		Address: cfg.AMI.Address, Username: cfg.AMI.Username, Secret: string(cfg.AMI.Secret),
		Ping: cfg.AMI.Ping, DeadAfter: cfg.AMI.DeadAfter, Want: pbx.Wanted, Exclude: pbx.Excluded(), Logger: log,
	}
	if host, _, err := net.SplitHostPort(cfg.AMI.Address); cfg.AMI.TLS && err == nil {
		o.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return o
}

func ariOptions(cfg *conf.Config) ari.Options {
	return ari.Options{
		URL: string(cfg.ARI.URL), Username: cfg.ARI.Username, Password: string(cfg.ARI.Password),
		Application: cfg.ARI.Application, Timeout: 5 * time.Second,
	}
}

func pbxRules(cfg *conf.Config) pbx.Rules {
	r := pbx.Rules{
		Context: cfg.Dial.Context, Timeout: cfg.Dial.Timeout, Allow: cfg.Dial.Allow,
		QueueMember: cfg.Calls.QueueMember,
		Menus:       menus(cfg), MenuContexts: freePBXMenu,
		Extensions: cfg.Calls.Extensions, InboundContexts: cfg.Calls.InboundContexts, Location: cfg.General.Timezone,
		Feedback:     cfg.Feedback.Contexts,
		ServiceLevel: cfg.Calls.ServiceLevel,
		Groups:       trunkGroups(cfg), AIContext: cfg.OLA.AIContext, Sounds: cfg.OLA.Sounds,
	}
	if cfg.Enable.PauseTime {
		r.AfterWork = cfg.Enable.PauseTimeMax
	}
	if cfg.Dial.Technology != "auto" {
		r.Technology = cfg.Dial.Technology
	}
	return r
}

// trunkGroups are those of the configuration. Without any there is one, so that calls go out as those of a phone do.
func trunkGroups(cfg *conf.Config) (list []pbx.TrunkGroup) {
	for _, g := range cfg.Gateways {
		list = append(list, pbx.TrunkGroup{Name: g.Name, Endpoints: g.Endpoints, Count: g.Count, CallerID: g.CallerID})
	}
	if len(list) == 0 {
		list = []pbx.TrunkGroup{{Name: "default", Count: conf.MaxCount}}
	}
	return list
}

// freePBXMenu is how FreePBX names the contexts of its menus.
var freePBXMenu = regexp.MustCompile(`^ivr-(.+)$`)

func menus(cfg *conf.Config) map[string]pbx.Menu {
	m := make(map[string]pbx.Menu, len(cfg.IVR))
	for _, menu := range cfg.IVR {
		m[menu.Context] = pbx.Menu{ID: menu.ID, Name: menu.Name}
	}
	return m
}

func coocenterRules(cfg *conf.Config) coocenter.Rules {
	return coocenter.Rules{
		Push: cfg.General.URL != "" || len(cfg.Receivers) > 0, MAC: cfg.General.MAC, DialBeginEvent: cfg.Webhook.DialBeginEvent,
		HangupLegs: cfg.Webhook.HangupLegs == "all", RawChannelNames: cfg.Webhook.ChannelNames == "raw",
		AsteriskDirectory: cfg.Recordings.AsteriskDirectory, RecordingsDirectory: cfg.Recordings.Directory, Location: cfg.General.Timezone, WebKey: string(cfg.General.WebKey),
	}
}

func consoleRecordings(cfg *conf.Config) console.Recordings {
	return console.Recordings{Directory: cfg.Recordings.Directory, AsteriskDirectory: cfg.Recordings.AsteriskDirectory}
}

func olaRules(cfg *conf.Config, zone *time.Location) ola.Rules {
	overlays := map[pbx.QueueName]map[string]string{}
	for _, o := range cfg.Overlays {
		queue := pbx.QueueName(o.Queue)
		if overlays[queue] == nil {
			overlays[queue] = map[string]string{}
		}
		overlays[queue][o.Key] = o.Value
	}
	return ola.Rules{PrivateAnswer: cfg.OLA.PrivateAnswer, AfterWork: pbxRules(cfg).AfterWork, Location: zone, Queues: overlays}
}

// targets lists the receivers, that of [general] URL first.
func targets(cfg *conf.Config) []webhook.Target {
	w := cfg.Webhook
	list := []webhook.Target{{
		URL: string(cfg.General.URL), Secrets: spelled(w.Secrets), Timeout: w.Timeout, Concurrency: w.Concurrency, RetryMax: w.RetryMax, TTL: w.EventTTL,
		PoisonAttempts: w.PoisonAttempts, PoisonSpan: w.PoisonSpan, UserAgent: "dialbridge/" + version,
	}}
	for _, r := range cfg.Receivers {
		list = append(list, webhook.Target{
			Receiver: r.Name, Kinds: r.Events,
			URL: string(r.URL), Secrets: spelled(r.Secrets), Timeout: r.Timeout, Concurrency: r.Concurrency, RetryMax: r.RetryMax, TTL: r.EventTTL,
			PoisonAttempts: r.PoisonAttempts, PoisonSpan: r.PoisonSpan, UserAgent: "dialbridge/" + version,
		})
	}
	return list
}

func spelled(secrets []conf.Secret) (list []string) {
	for _, s := range secrets {
		list = append(list, string(s))
	}
	return list
}

func httpOptions(cfg *conf.Config, parts []httpd.Part, log *slog.Logger) httpd.Options {
	o := httpd.Options{
		Address:  net.JoinHostPort(cfg.General.BindAddr, strconv.Itoa(cfg.General.BindPort)),
		Settings: httpSettings(cfg), Parts: parts, Logger: log, Limits: httpd.Limits{Stop: requestGrace},
	}
	if cfg.HTTP.TLS {
		o.TLSAddress = net.JoinHostPort(cfg.General.BindAddr, strconv.Itoa(cfg.HTTP.TLSPort))
	}
	return o
}

func httpSettings(cfg *conf.Config) httpd.Settings {
	return httpd.Settings{
		Allow: cfg.HTTP.Allow, MetricsAllow: cfg.HTTP.MetricsAllow, CertFile: cfg.HTTP.TLSCert, KeyFile: cfg.HTTP.TLSKey,
	}
}

// loopback reports whether an address is reached from this machine only.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
