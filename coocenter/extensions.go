package coocenter

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// currentCall is one row of current-calls.
type currentCall struct {
	CallerIDName      string `json:"calleridname"`
	CallerIDNum       string `json:"calleridnum"`
	Channel           string `json:"channel"`
	ChannelState      string `json:"channelstate"`
	ChannelStateDesc  string `json:"channelstatedesc"`
	ConnectedLineName string `json:"connectedlinename"`
	ConnectedLineNum  string `json:"connectedlinenum"`
	Duration          string `json:"duration"`
}

// currentCalls lists one row per call, or per channel with channels=all.
func (a *API) currentCalls(c echo.Context) error {
	p, err := httpd.ReadParams(c)
	if err != nil {
		return err
	}
	all := p.Get("channels") == "all"
	calls, err := a.sw.Calls()
	if err != nil {
		return failure(err, "")
	}
	rows, rules, now := []currentCall{}, a.rules.Load(), time.Now()
	for _, call := range calls {
		for _, ch := range shown(call, all) {
			rows = append(rows, rules.currentCall(ch, now))
		}
	}
	return success(c, "Channels will follow", rows)
}

// shown picks the channels of a call that are listed: all, or the one that stands for it: the channel that gave the call
// its id, else (it has been transferred away) the oldest that is no Local channel.
func shown(call pbx.Call, all bool) []pbx.Channel {
	if all || len(call.Channels) == 0 {
		return call.Channels
	}
	pick := -1
	for i, ch := range call.Channels {
		if ch.ID == string(call.ID) {
			pick = i
			break
		}
		if pick < 0 && !ch.Local() {
			pick = i
		}
	}
	pick = max(pick, 0)
	return call.Channels[pick : pick+1]
}

func (r *Rules) currentCall(ch pbx.Channel, now time.Time) currentCall {
	age := int(ch.Age(now) / time.Second)
	return currentCall{
		CallerIDName: ch.Caller.Name, CallerIDNum: ch.Caller.Number, Channel: r.channelName(ch.Name),
		ChannelState: ch.State, ChannelStateDesc: ch.StateText,
		ConnectedLineName: ch.Connected.Name, ConnectedLineNum: ch.Connected.Number,
		Duration: fmt.Sprintf("%02d:%02d:%02d", age/3600, age/60%60, age%60),
	}
}

// seatType is the only kind of agent that the vendor's documents attest.
const seatType = "analogCallCenter"

// hintStatus is one row of extension-hints-status.
type hintStatus struct {
	AgentName string `json:"agentName"`
	Extension string `json:"extension"`
	ExtenType string `json:"extenType"`
	Status    string `json:"status"`
}

// hintsStatus lists all extensions with their states, as a bare array.
func (a *API) hintsStatus(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	list, err := a.sw.Extensions()
	if err != nil {
		return failure(err, "")
	}
	rows := make([]hintStatus, 0, len(list))
	for _, x := range list {
		rows = append(rows, hintStatus{
			AgentName: x.Name, Extension: string(x.Number), ExtenType: seatType, Status: strconv.Itoa(int(x.State)),
		})
	}
	return c.JSON(http.StatusOK, rows)
}

// peerStatus is one row of extension-status. The keys are capitalised as in the vendor's page.
type peerStatus struct {
	Exten  string `json:"Exten"`
	Type   string `json:"Type"`
	IPAddr string `json:"IPAddr"`
	Status string `json:"Status"`
}

// extensionStatus lists where the phones of all extensions are registered.
func (a *API) extensionStatus(c echo.Context) error {
	if _, err := httpd.ReadParams(c); err != nil {
		return err
	}
	list, err := a.sw.Registrations(traced(c))
	if err != nil {
		return failure(err, "")
	}
	rows := make([]peerStatus, 0, len(list))
	for _, r := range list {
		row := peerStatus{Exten: string(r.Exten), Type: "SIP", IPAddr: r.Address, Status: reachWord(r)}
		if r.Address == "" {
			row.IPAddr = "-none-"
		}
		rows = append(rows, row)
	}
	return success(c, "Peer status list will follow", rows)
}

// reachWord is chan_sip's word for a phone's reachability.
func reachWord(r pbx.Registration) string {
	switch r.Reachable {
	case pbx.Reachable:
		return fmt.Sprintf("OK (%d ms)", r.RoundTrip.Milliseconds())
	case pbx.Unreachable:
		return "UNREACHABLE"
	case pbx.Unmonitored:
		return "Unmonitored"
	default:
		return "UNKNOWN"
	}
}
