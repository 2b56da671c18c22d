package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// likeSample compares an answer with a printed one of the second page: the same keys everywhere, and the same JSON types; code and
// result to the letter; of a list every row with the first printed one, and at least one row where they are objects; where the sample
// has a time, "true" or "false", the answer has one too. An object that is printed empty may hold anything.
func likeSample(sample string, got []byte) error {
	var want, have any
	if err := json.Unmarshal([]byte(sample), &want); err != nil {
		return err
	}
	if err := json.Unmarshal(got, &have); err != nil {
		return fmt.Errorf("%q is no JSON: %w", got, err)
	}
	if err := sameTypes("answer", want, have); err != nil {
		return fmt.Errorf("%w in %s", err, got)
	}
	return nil
}

func sameTypes(where string, want, have any) error {
	if where == "answer.code" || where == "answer.result" {
		if want != have {
			return fmt.Errorf("%s is %v, want %v", where, have, want)
		}
		return nil
	}
	ok := false
	switch w := want.(type) {
	case map[string]any:
		h, is := have.(map[string]any)
		if !is {
			return fmt.Errorf("%s is no object", where)
		}
		return sameKeys(where, w, h)
	case []any:
		h, is := have.([]any)
		if _, words := w[0].(string); !is || len(h) == 0 && !words {
			return fmt.Errorf("%s is no list, or has nothing in it", where)
		}
		for i, row := range h {
			if err := sameTypes(fmt.Sprintf("%s[%d]", where, i), w[0], row); err != nil {
				return err
			}
		}
		return nil
	case string:
		ok = sameText(w, have)
	case float64: // all numbers of the page are whole
		h, is := have.(float64)
		ok = is && h == math.Trunc(h)
	case bool:
		_, ok = have.(bool)
	case nil: // what it is otherwise only the page's tables say: a string
		_, ok = have.(string)
		ok = ok || have == nil
	}
	if !ok {
		return fmt.Errorf("%s is %#v, the page has %#v", where, have, want)
	}
	return nil
}

func sameKeys(where string, want, have map[string]any) error {
	if w, h := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have)); len(w) > 0 && !slices.Equal(w, h) {
		return fmt.Errorf("%s has the keys %v, want %v", where, h, w)
	}
	for key := range want {
		if err := sameTypes(where+"."+key, want[key], have[key]); err != nil {
			return err
		}
	}
	return nil
}

// sameText compares the form of a string. A time that there is not is null, "" or the page's own word for it.
func sameText(sample string, have any) bool {
	text, is := have.(string)
	if sample == "true" || sample == "false" {
		return text == "true" || text == "false"
	}
	if _, err := time.Parse(time.DateTime, sample); err != nil { // which takes microseconds too
		return is
	}
	if have == nil || is && (text == "" || text == "undefined") {
		return true
	}
	_, err := time.Parse(time.DateTime, text)
	return err == nil && len(text) == len(sample)
}
