package ola

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dialbridge/dialbridge/internal/httpd"
	"github.com/dialbridge/dialbridge/pbx"
)

// TestGroupCallOfMany: as many numbers as a body holds are one campaign; of a body with a fault in the last of them nothing is stored.
func TestGroupCallOfMany(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	var numbers strings.Builder
	for i := range 80_000 {
		fmt.Fprintf(&numbers, "%d,", 13800000000+i)
	}
	const rest = "&gatewayGrp=222&OprType=queue&queue=10010"
	r.expect(400, `numbers: \"138x\" may not be dialled`, http.MethodPut, "/api/ola/groupCall", "numbers="+numbers.String()+"138x"+rest)
	h := r.expect(200, "ok", http.MethodPut, "/api/ola/groupCall", "numbers="+numbers.String()+rest)
	var answer campaignReply
	w := r.request(http.MethodGet, h.Get("Location")+"?after=79999", "")
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Campaign.Waiting != 80_000 || len(answer.Numbers) != 1 || answer.Numbers[0].Number != "13800079999" {
		t.Errorf("%s %v", w.Body, err)
	}
	if h.Get("Location") != "/api/ola/groupCall/1" {
		t.Errorf("location %s", h.Get("Location"))
	}
	r.request(http.MethodGet, h.Get("Location"), "")
	r.request(http.MethodGet, "/api/ola/groupCall", "")
	lines := r.notes.lines()
	if n := len(lines); lines[n-1] != "admin GET /api/ola/groupCall/:id 200 after=79999 id=1" || !strings.HasPrefix(lines[n-2], "admin PUT ") {
		t.Errorf("in the audit log stands %.100q", lines)
	}
}

// TestNoRoomIsSaid: what cannot be stored is told as that, and not as a fault of the daemon.
func TestNoRoomIsSaid(t *testing.T) {
	for err, status := range map[error]int{pbx.ErrNoRoom: http.StatusInsufficientStorage, pbx.ErrManyNumbers: http.StatusConflict} {
		var e *httpd.Error
		if got := failure(fmt.Errorf("campaign: %w", err)); !errors.As(got, &e) || e.Status != status || e.Message == "internal error" {
			t.Errorf("%v is told as %v", err, got)
		}
	}
}
