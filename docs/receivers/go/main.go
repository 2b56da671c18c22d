// Command receiver takes dialbridge's events: WEBHOOK_SECRET=... go run . PORT INBOX
//
// An event is verified by the library of Standard Webhooks, put into an inbox on disk (a file of lines) under its webhook-id, and answered
// with 204; work is done behind the answer, one event after the other, in the order in which they came.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const largest = 1 << 20

// entry is an event as it is kept.
type entry struct {
	ID    string          `json:"id"`
	Event json.RawMessage `json:"event"`
}

// inbox is a file with a line for each event, and one beside it that says how many of them are done.
type inbox struct {
	path string
	mu   sync.Mutex
	file *os.File
	seen map[string]bool
	wait chan entry
	done int
}

func openInbox(path string) (*inbox, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	in := &inbox{path: path, file: file, seen: map[string]bool{}, wait: make(chan entry, 1<<16)}
	if text, err := os.ReadFile(path + ".done"); err == nil {
		if in.done, err = strconv.Atoi(string(text)); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1] // what is behind it was cut short by a crash, and never answered
	if err := file.Truncate(int64(len(whole))); err != nil {
		return nil, err
	}
	n := 0
	for line := range bytes.Lines(whole) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		in.seen[e.ID] = true
		if n++; n > in.done {
			in.wait <- e
		}
	}
	return in, nil
}

// put keeps an event before it is answered. One that is known came twice.
func (in *inbox) put(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.seen[e.ID] {
		return nil
	}
	if _, err := in.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := in.file.Sync(); err != nil {
		return err
	}
	in.seen[e.ID] = true
	in.wait <- e
	return nil
}

// work does what waits. An event whose work was cut short by a crash is done again.
func (in *inbox) work(do func(id string, event map[string]any)) {
	for e := range in.wait {
		var event map[string]any
		if json.Unmarshal(e.Event, &event) == nil {
			do(e.ID, event)
		}
		in.done++
		count := in.path + ".done" // replaced in one piece: one that is cut short would have everything done again
		if err := errors.Join(os.WriteFile(count+".new", []byte(strconv.Itoa(in.done)), 0o600), os.Rename(count+".new", count)); err != nil {
			log.Print(err)
		}
	}
}

// handle is what the CRM does with an event: here it is printed.
func handle(id string, event map[string]any) {
	call, ok := event["uniqueid"].(string)
	if !ok {
		call, _ = event["uuid"].(string) // as ivr and cc_cdr call it
	}
	fmt.Println(event["event"], id, call)
}

// verifier takes a secret that begins with whsec_ as base64 behind it, and any other as it is.
func verifier(secret string) (*standardwebhooks.Webhook, error) {
	if strings.TrimPrefix(secret, "whsec_") == "" {
		return nil, errors.New("WEBHOOK_SECRET is empty: everybody could sign")
	}
	if strings.HasPrefix(secret, "whsec_") {
		return standardwebhooks.NewWebhook(secret)
	}
	return standardwebhooks.NewWebhookRaw([]byte(secret))
}

func main() {
	in, err := openInbox(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	webhook, err := verifier(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	go in.work(handle)
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if webhook.Verify(body, r.Header) != nil { // forged, changed or old
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var event map[string]any
		if json.Unmarshal(body, &event) != nil || event == nil { // only somebody with the secret can send that
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := in.put(entry{r.Header.Get("webhook-id"), body}); err != nil {
			log.Print(err)
			w.WriteHeader(http.StatusServiceUnavailable) // it comes again
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Addr: "127.0.0.1:" + os.Args[1], ReadTimeout: 30 * time.Second} // TLS is the proxy's before it
	log.Fatal(server.ListenAndServe())
}
