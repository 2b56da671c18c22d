package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialbridge/dialbridge/ami"
)

// A conference is in Asterisk's dialplan, made at run time: its number leads from the contexts in which it can be dialled to
// numberContext, and from there to the room itself. A reload of the dialplan empties all of them, and is not told by any event.

// Dialplan contexts of our own. Another context in which phones dial may include numberContext.
const (
	numberContext   = "dialbridge-conference"
	roomContext     = "dialbridge-room"
	recordedContext = "dialbridge-room-recorded"
)

// roomDialplan is what a conference's number runs. A bridge profile made by a channel has none of the settings of confbridge.conf
// unless it takes them over.
var roomDialplan = [][4]string{
	{roomContext, "1", "Answer", ""},
	{roomContext, "2", "ConfBridge", "${EXTEN}"},
	{roomContext, "3", "Hangup", ""},
	{recordedContext, "1", "Answer", ""},
	{recordedContext, "2", "Set", "CONFBRIDGE(bridge,template)=default_bridge"},
	{recordedContext, "3", "Set", "CONFBRIDGE(bridge,record_conference)=yes"},
	{recordedContext, "4", "ConfBridge", "${EXTEN}"},
	{recordedContext, "5", "Hangup", ""},
}

// isRoomContext reports whether a dialplan context is one of those that lead into a conference.
func isRoomContext(name string) bool {
	return name == numberContext || name == roomContext || name == recordedContext
}

// addExtension enters one priority of an extension into the dialplan.
func (s *Switch) addExtension(ctx context.Context, place, exten, priority, app, data string) error {
	_, err := s.client.Do(ctx, ami.NewAction("DialplanExtensionAdd", "Context", place, "Extension", exten, "Priority", priority,
		"Application", app, "ApplicationData", data, "Replace", "yes"))
	return translate(err)
}

// enterRooms makes what all conferences share.
func (s *Switch) enterRooms(ctx context.Context) error {
	for _, x := range roomDialplan {
		if err := s.addExtension(ctx, x[0], "_X!", x[1], x[2], x[3]); err != nil {
			return err
		}
	}
	return nil
}

// enterNumber makes the way into one conference, from inside out: who dials its number never finds half of the way.
func (s *Switch) enterNumber(ctx context.Context, c Conference) error {
	room := roomContext
	if c.Recording {
		room = recordedContext
	}
	for _, place := range s.placesOf(c) {
		to := numberContext
		if place == numberContext {
			to = room
		}
		if err := s.addExtension(ctx, place, c.Number, "1", "Goto", to+",${EXTEN},1"); err != nil {
			return err
		}
	}
	return nil
}

// enterRoom makes a conference whole in the dialplan.
func (s *Switch) enterRoom(ctx context.Context, c Conference) error {
	if err := s.enterRooms(ctx); err != nil {
		return err
	}
	return s.enterNumber(ctx, c)
}

// prepareRoom makes sure of a conference in the dialplan, which may have been reloaded a moment ago.
func (s *Switch) prepareRoom(ctx context.Context, id ConferenceID) error {
	if err := s.holdRooms(ctx); err != nil {
		return err
	}
	defer s.letRooms()
	c, err := s.reach(id)
	if err != nil {
		return err
	}
	return s.enterRoom(ctx, c)
}

// holdRooms waits for the turn to change what of conferences is in the dialplan. Nothing was done when it fails.
func (s *Switch) holdRooms(ctx context.Context) error {
	select {
	case s.roomsTurn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrOffline, ctx.Err())
	}
}

func (s *Switch) letRooms() { <-s.roomsTurn }

// placesOf lists the contexts that have the number of a conference.
func (s *Switch) placesOf(c Conference) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []string{numberContext}
	for _, place := range []string{s.state.rules.Context, c.Context} {
		if place != "" && !slices.Contains(list, place) {
			list = append(list, place)
		}
	}
	return list
}

// leaveRoom takes back what enterRoom did before it failed: the failure tells more than what comes of this.
func (s *Switch) leaveRoom(ctx context.Context, c Conference) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmPatience)
	defer cancel()
	for _, place := range slices.Backward(s.placesOf(c)) {
		_ = s.removeNumber(ctx, place, c.Number)
	}
}

// removeNumber takes a number out of a context. One that is not there is success.
func (s *Switch) removeNumber(ctx context.Context, place, number string) error {
	_, err := s.client.Do(ctx, ami.NewAction("DialplanExtensionRemove", "Context", place, "Extension", number))
	if refusedWith(err, "Failed to remove") || refusedWith(err, "The requested") {
		return nil
	}
	return translate(err)
}

// contextExists asks Asterisk for a context. The number that is asked for with it keeps the answer short.
func (s *Switch) contextExists(ctx context.Context, name string) (bool, error) {
	_, err := s.client.List(ctx, ami.NewAction("ShowDialPlan", "Context", name, "Extension", "300000000"))
	switch {
	case refusedWith(err, "Did not find context"):
		return false, nil
	case refusedWith(err, "Did not find extension"):
		return true, nil
	}
	return err == nil, translate(err)
}

// roomsEvery is how often the dialplan is asked whether a reload has emptied it.
const roomsEvery = 5 * time.Second

// roomsAreDue lets the next tick enter all conferences again.
func (s *Switch) roomsAreDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roomsDue = true
}

// keepRooms enters all conferences into the dialplan where a restart or a reload may have lost them. The caller holds mu.
func (r *run) keepRooms(now time.Time) {
	if !r.synced || len(r.state.conferences) == 0 || !r.roomsDue && now.Sub(r.roomsSeen) < roomsEvery || r.turns["conferences"] != nil {
		return
	}
	due, probe := r.roomsDue, ""
	r.roomsDue, r.roomsSeen = false, now
	for number := range r.state.rooms {
		probe = number
		break
	}
	r.inTurn("conferences", func() { r.restoreRooms(due, probe) })
}

// restoreRooms enters all conferences, unless they need not be and are still there.
func (r *run) restoreRooms(due bool, probe string) {
	ctx, cancel := context.WithTimeout(context.Background(), queryPatience)
	defer cancel()
	if !due && !r.roomsLost(ctx, probe) || r.holdRooms(ctx) != nil {
		return
	}
	defer r.letRooms()
	err := r.enterRooms(ctx)
	for _, c := range r.Conferences(ConferenceFilter{}) {
		if err == nil {
			err = r.enterNumber(ctx, c)
		}
	}
	switch {
	case err == nil:
		r.log.Info("conferences were entered into the dialplan")
	case !errors.Is(err, ErrOffline):
		r.log.Warn("conferences could not be entered into the dialplan", "error", err)
	}
}

// roomsLost reports whether the dialplan lacks what every conference needs, or the number of one of them. A link that is down brings a
// full query, and all of them with it.
func (s *Switch) roomsLost(ctx context.Context, number string) bool {
	for _, place := range []string{numberContext, roomContext, recordedContext} {
		if there, err := s.Exists(ctx, place, number); err != nil || !there {
			return err == nil
		}
	}
	return false
}

// isRoom reports whether a conference of Asterisk's has the form of ours.
func isRoom(name string) bool { return roomNumber.MatchString(name) }

// askRooms lists who is in our conferences. Where Asterisk knows no such action nothing is learnt.
func (s *snapshot) askRooms(ctx context.Context, c *ami.Client) error {
	list, err := c.List(ctx, ami.NewAction("ConfbridgeListRooms"))
	var refused *ami.ResponseError
	if errors.As(err, &refused) {
		s.hasRooms = strings.HasPrefix(refused.Message, "No active conferences")
		return nil
	}
	if err != nil {
		return err
	}
	for _, room := range list {
		if !isRoom(room.Get("Conference")) {
			continue
		}
		in, err := c.List(ctx, ami.NewAction("ConfbridgeList", "Conference", room.Get("Conference")))
		if err != nil && !errors.As(err, &refused) { // refused: it has ended since
			return err
		}
		s.rooms = append(s.rooms, in...)
	}
	s.hasRooms = true
	return nil
}
