package coocenter

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dialbridge/dialbridge/pbx"
	"github.com/dialbridge/dialbridge/webhook"
)

// Rules are the settings of the dialect that may change while it runs.
type Rules struct {
	Push                bool           // a URL is configured: events are stored and sent
	MAC                 string         // copied into dialbegin
	DialBeginEvent      string         // "dialbegin", or "dialbegein" for receivers that match the page's spelling
	HangupLegs          bool           // one hangup per leg instead of one per call
	RawChannelNames     bool           // PJSIP/x stays PJSIP/x
	AsteriskDirectory   string         // recordings as Asterisk names them
	RecordingsDirectory string         // and where the daemon finds them
	Location            *time.Location // of the times in events
	WebKey              string         // key of the daily token, "" = open
}

// What is dropped first when the store is full: lower goes first.
const (
	weightExtensionStatus = 1
	weightIVR             = 2
	weightDial            = 3
	weightHangup          = 4
)

// Events follows the core and puts its events into the outbox.
type Events struct {
	sub    *pbx.Subscription
	outbox *webhook.Outbox
	log    *slog.Logger
	rules  atomic.Pointer[Rules]
}

// NewEvents subscribes to the core. Run must be called, else the core keeps what nobody reads.
func NewEvents(sw *pbx.Switch, outbox *webhook.Outbox, rules Rules, log *slog.Logger) *Events {
	sub, _ := sw.Subscribe(pbx.SubscribeOptions{Durable: true})
	e := &Events{sub: sub, outbox: outbox, log: log}
	e.rules.Store(&rules)
	return e
}

// Configure replaces the rules.
func (e *Events) Configure(r Rules) { e.rules.Store(&r) }

// Off reports that no receiver is configured: events are not stored.
func (e *Events) Off() bool { return !e.rules.Load().Push }

// Run encodes and stores events until the core has ended or ctx has.
func (e *Events) Run(ctx context.Context) error {
	for {
		batch, err := e.sub.Next(ctx)
		if errors.Is(err, pbx.ErrClosed) || errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		e.store(batch)
		e.sub.Ack(batch[len(batch)-1].Seq)
	}
}

func (e *Events) store(batch []pbx.Occurrence) {
	rules := e.rules.Load()
	if !rules.Push {
		return
	}
	var events []webhook.Event
	for _, o := range batch {
		if gap, is := o.Event.(pbx.RecordsMissed); is {
			e.noteGap(webhook.Gap{Since: gap.Since, Until: o.At, Reason: "the call records of Asterisk: " + gap.Reason})
			continue
		}
		event, ok, err := rules.translate(o)
		if err != nil {
			e.log.Error("event could not be encoded", "event", event.Kind, "error", err)
		} else if ok {
			events = append(events, event)
		}
	}
	if len(events) > 0 {
		e.outbox.Put(events, e.stored)
	}
}

// gapPatience is how long events may wait for a gap to be stored.
const gapPatience = 5 * time.Second

// noteGap lets whoever misses events find out why.
func (e *Events) noteGap(g webhook.Gap) {
	e.log.Error("calls of a time without a link cannot be made good", "since", g.Since, "until", g.Until, "reason", g.Reason)
	ctx, cancel := context.WithTimeout(context.Background(), gapPatience)
	defer cancel()
	if err := e.outbox.NoteGap(ctx, g); err != nil {
		e.log.Error("gap could not be stored", "error", err)
	}
}

func (e *Events) stored(err error) {
	if err != nil {
		e.log.Error("events could not be stored", "error", err)
	}
}

// translate turns an event of the core into what is pushed; ok is false for one that this dialect does not tell.
func (r *Rules) translate(o pbx.Occurrence) (e webhook.Event, ok bool, err error) {
	e.At = o.At
	var body any
	switch ev := o.Event.(type) {
	case pbx.DialBegun:
		identify(&e, "dialbegin", string(ev.Call), ev.Leg.ToID)
		e.Weight, e.TTL, body = weightDial, true, r.dialBegun(o, ev)
	case pbx.DialEnded:
		identify(&e, "dialend", string(ev.Call), ev.Leg.ToID)
		e.Weight, e.TTL, body = weightDial, true, r.dialEnded(o, ev)
	case pbx.ChannelEnded:
		if !r.HangupLegs {
			return e, false, nil
		}
		identify(&e, "hangup", string(ev.Call), ev.Channel.ID)
		e.Weight, body = weightHangup, hungUp(ev.Call, ev.Channel)
	case pbx.CallEnded:
		if r.HangupLegs {
			return e, false, nil
		}
		identify(&e, "hangup", string(ev.Call.ID))
		e.Weight, body = weightHangup, hungUp(ev.Call.ID, ev.Call.First)
	case pbx.ExtensionChanged:
		identify(&e, "extensionstatus", "ext:"+string(ev.Exten), strconv.FormatInt(o.At.UnixNano(), 10), strconv.FormatUint(o.Seq, 10))
		e.Weight, e.TTL, e.Newest, body = weightExtensionStatus, true, true, extensionChanged(ev)
	case pbx.MenuLeft:
		identify(&e, "ivr", string(ev.Call.ID), ev.Channel.ID, ev.Visit.Context, strconv.Itoa(ev.Visit.Number))
		e.Weight, e.TTL, body = weightIVR, true, r.menuLeft(ev)
	case pbx.CallClosed:
		identify(&e, "cc_cdr", string(ev.Account.ID))
		e.Weight, body = webhook.Never, callCentreRecord{Event: e.Kind, callFields: r.closed(&ev.Account)}
	case pbx.CallRecorded:
		c := ev.CDR // its id does not depend on the call: a record read from Asterisk's file may not be tied to it any more
		identify(&e, "cdr", "", c.UniqueID, c.Channel, c.DestinationChannel, c.LastApplication, c.Start, c.Answer, c.End, c.Disposition)
		e.Key, e.Weight, body = string(ev.Call), webhook.Never, r.callRecorded(ev)
	default:
		return e, false, nil
	}
	e.Body, err = encode(body)
	return e, err == nil, err
}

// identify sets the kind, the order key and the id. The id is derived from what happened, not drawn: the same event
// found twice (before and after a crash) has one id.
func identify(e *webhook.Event, kind, key string, parts ...string) {
	e.Kind, e.Key = kind, key
	sum := sha256.Sum256([]byte(kind + "\x00" + key + "\x00" + strings.Join(parts, "\x00")))
	e.ID = "evt_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))[:26]
}

func (r *Rules) dialBegun(o pbx.Occurrence, e pbx.DialBegun) dialBegin {
	return dialBegin{
		Event: r.DialBeginEvent, Timestamp: stamp(o),
		Channel: r.channelName(e.Leg.FromName), CallerIDNum: e.Leg.From.Number,
		DestChannel: r.channelName(e.Leg.ToName), DestCallerIDNum: e.Leg.To.Number, DestUniqueID: e.Leg.ToID,
		DialString: r.dialString(e.Leg), UniqueID: string(e.Call), MAC: r.MAC,
	}
}

func (r *Rules) dialEnded(o pbx.Occurrence, e pbx.DialEnded) dialEnd {
	return dialEnd{
		Event: "dialend", Timestamp: stamp(o),
		Channel: r.channelName(e.Leg.FromName), CallerIDNum: e.Leg.From.Number,
		DestChannel: r.channelName(e.Leg.ToName), DestCallerIDNum: e.Leg.To.Number,
		UniqueID: string(e.Call), DialStatus: dialStatus(e.Leg.Status),
	}
}

func hungUp(id pbx.CallID, c pbx.Channel) hangup {
	return hangup{
		Event: "hangup", CallerIDNum: c.Caller.Number, CallerIDName: c.Caller.Name,
		ConnectedLineNum: c.Connected.Number, ConnectedLineName: c.Connected.Name, UniqueID: string(id),
	}
}

func extensionChanged(e pbx.ExtensionChanged) extensionStatus {
	return extensionStatus{
		Event: "extensionstatus", Exten: string(e.Exten), Status: strconv.Itoa(int(e.State)), StatusText: e.State.String(),
	}
}

func (r *Rules) menuLeft(e pbx.MenuLeft) ivr {
	v := e.Visit
	body := ivr{
		Event: "ivr", UUID: string(e.Call.ID), Caller: e.Channel.Caller.Number, CallType: "IN", QueueCode: string(v.Queue),
		StartTime: v.Entered.In(r.Location).Format(date), EndTime: v.Left.In(r.Location).Format(date),
		Duration: strconv.Itoa(max(0, int(v.Left.Sub(v.Entered).Round(time.Second)/time.Second))),
		IVRID:    v.Menu.ID, IVRName: v.Menu.Name, IVRDTMF: v.Digits, MAC: r.MAC,
	}
	switch e.Call.Direction {
	case pbx.Inbound:
		body.TrunkNumber = e.Call.First.Dialled
	case pbx.Outbound:
		body.CallType = "OUT"
	}
	return body
}

func (r *Rules) callRecorded(e pbx.CallRecorded) cdr {
	c := e.CDR
	return cdr{
		Event: "cdr", CallerID: c.CallerID, Source: c.Source, Destination: c.Destination,
		StartTime: c.Start, AnswerTime: c.Answer, EndTime: c.End, Disposition: c.Disposition,
		Duration: c.Duration, BillableSeconds: c.Billable, CallType: callType(c.Direction),
		RecordFile: r.recordFile(c.Recording), UniqueID: string(e.Call),
	}
}
