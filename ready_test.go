package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/dialbridge/dialbridge/ari"
)

// TestReadyzDoesNotWaitForAFrozenAsterisk asks an ARI that takes requests and never answers: the part is down, and it is said
// long before an ARI request itself is given up.
func TestReadyzDoesNotWaitForAFrozenAsterisk(t *testing.T) {
	frozen := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-frozen }))
	defer server.Close()
	defer close(frozen)
	d := &daemon{ari: ari.New(ari.Options{URL: server.URL + "/ari", Username: "u", Password: "p", Application: "a"})}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	began := time.Now()
	ok, state, reason := d.ariReady(ctx)
	if ok || state != "down" || reason == "" {
		t.Errorf("ready = %v %q %q", ok, state, reason)
	}
	if ctx.Err() != nil {
		t.Errorf("it took %v", time.Since(began))
	}
}
