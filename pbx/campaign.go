package pbx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dialbridge/dialbridge/internal/sqlite"
)

// CampaignKind is what becomes of a number that has answered.
type CampaignKind string

// The kinds of campaigns.
const (
	CampaignMenu  CampaignKind = "ivr"   // it comes into a menu
	CampaignPlay  CampaignKind = "play"  // it hears a file
	CampaignQueue CampaignKind = "queue" // it waits in a queue
	CampaignAI    CampaignKind = "ai"    // it comes into the context of a voice robot
)

var (
	// ErrNoRobot says that no context of a voice robot is configured.
	ErrNoRobot = errors.New("no voice robot is configured")
	// ErrManyCampaigns says that as many campaigns have numbers to dial as may: nothing was stored.
	ErrManyCampaigns = errors.New("too many campaigns run")
	// ErrManyNumbers says that as many numbers are stored as may be, of campaigns that are not over: nothing was stored.
	ErrManyNumbers = errors.New("too many numbers wait to be dialled")
)

// Bounds of a campaign.
const (
	maxCampaigns = 50      // with numbers still to be dialled
	maxNumbers   = 100_000 // of one campaign
	maxMark      = 64      // bytes of Batch, Plan and Company
	maxFile      = 255     // bytes of a file's name
	leastRing    = 5 * time.Second
	mostRing     = 5 * time.Minute
)

// CampaignPlan is what a campaign does.
type CampaignPlan struct {
	Group   string        `json:"group"` // trunk group
	Kind    CampaignKind  `json:"kind"`
	Queue   QueueName     `json:"queue,omitempty"`   // of CampaignQueue
	Menu    string        `json:"menu,omitempty"`    // id of a menu, of CampaignMenu
	File    string        `json:"file,omitempty"`    // of CampaignPlay
	Ring    time.Duration `json:"ring,omitempty"`    // how long a number rings; 0 = the rules' time-out
	Batch   string        `json:"batch,omitempty"`   // kept with each call
	Plan    string        `json:"plan,omitempty"`    // of CampaignAI: the dialplan has it as OLA_PLAN_ID
	Company string        `json:"company,omitempty"` // and OLA_COMPANY_ID
	Detect  bool          `json:"detect,omitempty"`  // vacant numbers were to be detected; kept, and nothing more
}

// Campaign is a stored campaign.
type Campaign struct {
	ID int64
	CampaignPlan
	Created time.Time
	Stopped bool
	Note    string          // why it was stopped, "" for by wish
	Counts  map[Outcome]int // of its numbers
}

// Outcome is what has become of a number.
type Outcome string

// The outcomes. The first three are not the last word; OutcomeTalking is told in counts alone.
const (
	OutcomeWaiting      Outcome = "waiting"
	OutcomeDialing      Outcome = "dialing" // Asterisk was told, or was about to be
	OutcomeTalking      Outcome = "talking" // answered, and the call goes on
	OutcomeAnswered     Outcome = "answered"
	OutcomeBusy         Outcome = "busy" // or declined
	OutcomeNoAnswer     Outcome = "noanswer"
	OutcomeFailed       Outcome = "failed" // not to be reached
	OutcomeListed       Outcome = "blacklisted"
	OutcomeUnregistered Outcome = "unregistered" // an extension without a phone
	OutcomeAbsent       Outcome = "absent"       // looks like an extension, and there is none
	OutcomeStopped      Outcome = "stopped"      // was not dialled any more
	OutcomeUnknown      Outcome = "unknown"      // may have been dialled: nothing was seen of its call
)

// CampaignNumber is one number of a campaign.
type CampaignNumber struct {
	Seq       int // its place, from 1
	Number    string
	Outcome   Outcome
	Call      CallID // "" until it is dialled
	Cause     string // Q.850 number of its end
	CauseText string
	Tried     time.Time // zero times have not come
	Answered  time.Time
	Ended     time.Time
}

// CampaignsOptions are the parts of Campaigns.
type CampaignsOptions struct {
	Switch *Switch
	Store  *sqlite.DB
	Keep   time.Duration // how long campaigns that are over are kept; 0 = 30 days
	Logger *slog.Logger
}

// Campaigns dials lists of numbers. What has come of each is stored: a number is marked before Asterisk is told of it, and one that is
// marked is never dialled again. Its methods but Run are safe for concurrent use.
type Campaigns struct {
	sw    *Switch
	store *sqlite.DB
	log   *slog.Logger
	keep  time.Duration
	most  int // numbers of all campaigns
	wake  chan struct{}

	mu     sync.Mutex
	active []*running             // have numbers to dial, in the order of their ids
	open   map[CallID]openAttempt // dialled, and not over
	last   time.Time              // when Asterisk was last told to dial
	next   int                    // place in active of the campaign whose turn it is
}

// running is a campaign with numbers to dial.
type running struct {
	id   int64
	plan CampaignPlan
}

// openAttempt is a number whose call is not over.
type openAttempt struct {
	campaign int64
	seq      int
	tried    time.Time
	picked   bool // it has answered, and that is stored
}

// NewCampaigns makes the campaigns ready, and lets the switch know the calls that an earlier process has ordered. It starts nothing, and
// must be called before the switch runs.
func NewCampaigns(ctx context.Context, o CampaignsOptions) (*Campaigns, error) {
	if err := o.Store.Migrate(ctx, "pbx campaigns", campaignSchema); err != nil {
		return nil, err
	}
	c := &Campaigns{sw: o.Switch, store: o.Store, log: o.Logger, keep: o.Keep, most: mostNumbers, wake: make(chan struct{}, 1), open: map[CallID]openAttempt{}}
	if c.keep <= 0 {
		c.keep = 30 * 24 * time.Hour
	}
	if err := c.load(ctx); err != nil {
		return nil, fmt.Errorf("campaigns: %w", err)
	}
	c.store.BeforeFull(c.clearSoon)
	return c, nil
}

// Add stores a campaign and returns its id; it begins at once. A number that is given twice is dialled once. Errors: InvalidError,
// MissingError (group, queue, menu), ErrNoRobot, ErrManyCampaigns, ErrManyNumbers, ErrNoRoom, ErrOffline, ErrUnknown, ErrForbidden. Campaigns that
// are over are deleted, the oldest first, where there is no room else.
func (c *Campaigns) Add(ctx context.Context, plan CampaignPlan, numbers []string) (int64, error) {
	rules, err := c.sw.planned(&plan)
	if err != nil {
		return 0, err
	}
	if numbers, err = rules.distinct(numbers); err != nil {
		return 0, err
	}
	if plan.Kind == CampaignMenu || plan.Kind == CampaignAI {
		then, _ := rules.target(&plan)
		if ok, err := c.sw.Exists(ctx, then.context, then.exten); err != nil || !ok {
			return 0, errors.Join(err, missing(ok, "menu"))
		}
	}
	c.mu.Lock()
	full := len(c.active) >= maxCampaigns
	c.mu.Unlock()
	if full {
		return 0, ErrManyCampaigns
	}
	id, err := c.insert(ctx, &plan, numbers)
	if err != nil {
		return 0, fmt.Errorf("campaign: %w", err)
	}
	c.log.Info("campaign begins", "campaign", id, "numbers", len(numbers), "kind", string(plan.Kind), "group", plan.Group, "batch", plan.Batch)
	return id, nil
}

// Load tells how many campaigns have numbers to dial, and how many of the numbers are dialled and not over.
func (c *Campaigns) Load() (running, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.active), len(c.open)
}

func missing(there bool, field string) error {
	if there {
		return nil
	}
	return &MissingError{Field: field}
}

// planned checks a plan against the rules and the picture, and puts the file's name in order.
func (s *Switch) planned(p *CampaignPlan) (*Rules, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules := s.state.rules
	if _, err := rules.group("group", p.Group); err != nil {
		return nil, err
	}
	for _, m := range []struct{ field, text string }{{"batch", p.Batch}, {"plan", p.Plan}, {"company", p.Company}} {
		if len(m.text) > maxMark {
			return nil, &InvalidError{Field: m.field, Reason: "longer than " + strconv.Itoa(maxMark) + " bytes"}
		}
	}
	if p.Ring != 0 && (p.Ring < leastRing || p.Ring > mostRing) {
		return nil, &InvalidError{Field: "ring", Reason: fmt.Sprintf("from %d to %d seconds", leastRing/time.Second, mostRing/time.Second)}
	}
	if p.Kind == CampaignPlay {
		name, ok := rules.sound(p.File)
		if !ok {
			return nil, &InvalidError{Field: "file", Reason: "not a file below the folders of sounds"}
		}
		p.File = name
	}
	if _, err := rules.target(p); err != nil {
		return nil, err
	}
	if !s.synced {
		return nil, ErrOffline
	}
	if p.Kind == CampaignQueue && s.state.queues[p.Queue] == nil {
		return nil, &MissingError{Field: "queue"}
	}
	return rules, nil
}

// target is what Asterisk does with a number that has answered.
func (r *Rules) target(p *CampaignPlan) (target, error) {
	switch p.Kind {
	case CampaignPlay:
		return target{app: "Playback", data: p.File}, nil
	case CampaignQueue:
		return target{app: "Queue", data: string(p.Queue)}, nil
	case CampaignMenu:
		context, _ := r.flow(p.Menu)
		if context == "" {
			return target{}, &MissingError{Field: "menu"}
		}
		return target{context: context, exten: "s"}, nil
	case CampaignAI:
		if r.AIContext == "" {
			return target{}, ErrNoRobot
		}
		return target{context: r.AIContext, exten: "s"}, nil
	}
	return target{}, &InvalidError{Field: "kind", Reason: "ivr, play, queue or ai"}
}

// distinct checks numbers and drops those that have come before.
func (r *Rules) distinct(numbers []string) ([]string, error) {
	if len(numbers) > maxNumbers {
		return nil, &InvalidError{Field: "numbers", Reason: "more than " + strconv.Itoa(maxNumbers)}
	}
	seen, list := make(map[string]bool, len(numbers)), make([]string, 0, len(numbers))
	for _, n := range numbers {
		if !r.dials(n) {
			return nil, &InvalidError{Field: "numbers", Reason: strconv.Quote(clip(n)) + " may not be dialled"}
		}
		if !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, &InvalidError{Field: "numbers", Reason: "none"}
	}
	return list, nil
}

// sounds are the formats of files that Playback finds by their name without it.
var sounds = []string{".wav", ".WAV", ".wav16", ".gsm", ".ulaw", ".alaw", ".ul", ".al", ".pcm", ".sln", ".sln16", ".slin", ".g722", ".g729", ".mp3", ".ogg"}

// sound gives the name by which Playback finds a file: below the folders of sounds, and nothing that Playback would take for a second
// file, an option or an address.
func (r *Rules) sound(file string) (name string, ok bool) {
	strange := strings.ContainsFunc(file, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+@ ", c)
	})
	if file == "" || strange || len(file) > maxFile || slices.Contains(strings.Split(file, "/"), "..") {
		return "", false
	}
	name = path.Clean(file)
	if path.IsAbs(name) && !slices.ContainsFunc(r.Sounds, func(folder string) bool { return strings.HasPrefix(name, folder+"/") }) {
		return "", false
	}
	if ext := path.Ext(name); slices.Contains(sounds, ext) {
		name = strings.TrimSuffix(name, ext)
	}
	if name == "." {
		return "", false
	}
	return name, true
}

// Stop ends a campaign: what waits is not dialled any more, calls under way go on. One that is over or stopped already is left as it
// is. Errors: ErrNotFound, ErrNoRoom.
func (c *Campaigns) Stop(ctx context.Context, id int64) error {
	if err := c.stop(ctx, id, ""); err != nil {
		return err
	}
	c.log.Info("campaign was stopped", "campaign", id)
	return nil
}

// begin takes a campaign among those that have numbers to dial.
func (c *Campaigns) begin(r *running) {
	c.mu.Lock()
	c.active = append(c.active, r)
	c.mu.Unlock()
	poke(c.wake)
}

// forget takes a campaign from those that have numbers to dial.
func (c *Campaigns) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = slices.DeleteFunc(c.active, func(r *running) bool { return r.id == id })
}
