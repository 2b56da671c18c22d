package ola

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// listed asks for the list and returns it as number=flag.
func (r *rig) listed(query string) string {
	r.t.Helper()
	w := r.request(http.MethodGet, "/api/special_phone/special_phone_detail"+query, "")
	var rows []phoneRow
	if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil || w.Code != http.StatusOK {
		r.t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	var list []string
	for _, row := range rows {
		if row.UUID == "" || row.CreatedAt == "" || row.UserUUID != nobody || row.Priority != nil {
			r.t.Errorf("%+v", row)
		}
		list = append(list, row.Phone+"="+strconv.Itoa(row.SpecialFlag))
	}
	return strings.Join(list, " ")
}

// TestListedNumbers goes through the rules of insert, update and delete, and through what the coocenter dialect sees of them.
func TestListedNumbers(t *testing.T) {
	r := newRig(t, newAsterisk(t), rigOptions{}).complete()
	const path = "/api/special_phone/"
	for _, step := range []struct {
		do, phone, flag string
		code            int
		result          string
		list, inbound   string // afterwards
	}{
		{"insert", "111", "2", 200, "ok", "111=2", `["111"]`},
		{"insert", "111", "2", 200, "ok", "111=2", `["111"]`},
		{"insert", "111", "3", 200, "ok", "111=4", `["111"]`},
		{"insert", "222", "3", 200, "ok", "111=4 222=3", `["111"]`},
		{"insert", "111", "2", 200, "ok", "111=4 222=3", `["111"]`},
		{"delete", "111", "2", 200, "ok", "111=3 222=3", `[]`},
		{"update", "222", "2", 200, "ok", "111=3 222=2", `["222"]`},
		{"update", "333", "2", 404, "not found", "111=3 222=2", `["222"]`},
		{"delete", "111", "2", 404, "not found", "111=3 222=2", `["222"]`},
		{"delete", "333", "", 404, "not found", "111=3 222=2", `["222"]`},
		{"insert", "222", "5", 400, "special_flag: 2, 3 or 4", "111=3 222=2", `["222"]`},
		{"delete", "222", "0", 400, "special_flag: 2, 3 or 4", "111=3 222=2", `["222"]`},
		{"insert", "12a", "2", 400, "phone: must be 1 to 32 of the characters 0-9 + * #", "111=3 222=2", `["222"]`},
		{"delete", "222", "", 200, "ok", "111=3", `[]`},
	} {
		form := url.Values{"phone": {step.phone}}
		if step.flag != "" {
			form.Set("special_flag", step.flag)
		}
		r.expect(step.code, step.result, http.MethodPost, path+step.do, form.Encode())
		if got := r.listed(""); got != step.list {
			t.Errorf("after %s %s %s: %s, want %s", step.do, step.phone, step.flag, got, step.list)
		}
		w := r.request(http.MethodGet, "/coocenter-api/blacklist/index", "")
		if want := `"data":` + step.inbound; !strings.Contains(w.Body.String(), want) {
			t.Errorf("after %s %s %s the coocenter dialect has %s, want %s", step.do, step.phone, step.flag, w.Body, want)
		}
	}
	r.expect(200, "ok", http.MethodPost, path+"insert", "phone=13678267674&special_flag=4")
	for query, want := range map[string]string{
		"": "111=3 13678267674=4", "?phone=3678": "13678267674=4", "?phone=999": "", "?special_flag=3": "111=3", "?special_flag=4&phone=1": "13678267674=4", "?special_flag=2": "",
	} {
		if got := r.listed(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	r.expect(403, "destNumber: number is on the black list", http.MethodPut, "/api/ola/agents/808/dial/111", "", "X-Request-Id", "request-1")
	if sent := r.caused(); len(sent) != 0 {
		t.Errorf("sent to Asterisk:\n%s", strings.Join(r.told(), ""))
	}
	// And the other way round.
	if w := r.request(http.MethodDelete, "/coocenter-api/blacklist/delete?number=13678267674", ""); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := r.listed("?phone=1367"); got != "13678267674=3" {
		t.Errorf("after the delete of the coocenter dialect: %s", got)
	}
}
