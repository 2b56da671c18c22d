package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/dialbridge/dialbridge/internal/conf"
)

// TestEveryKeyOfAQueueCanBeConfigured compares the keys of the list of queues with those that [ola_queues] takes.
func TestEveryKeyOfAQueueCanBeConfigured(t *testing.T) {
	text, err := os.ReadFile("ola/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Type any }
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	keys := doc.Components.Schemas["OlaQueue"].Properties
	if len(keys) != 37 {
		t.Errorf("%d keys", len(keys))
	}
	for key, p := range keys {
		_, text := conf.Parse("f", []byte("[ola_queues]\n630."+key+" = text\n"), nil)
		_, number := conf.Parse("f", []byte("[ola_queues]\n630."+key+" = 1\n"), nil)
		if (number == nil) != (key != "uuid") || (text == nil) != (key != "uuid" && p.Type != "integer") {
			t.Errorf("%s, %v: a text: %v, a number: %v", key, p.Type, text, number)
		}
	}
}
