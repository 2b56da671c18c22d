package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// likeDocumented compares an answer with the documented one: the same keys and kinds of values everywhere; status and
// message to the letter; of a list every row with the documented one, and at least one; a documented key "*" is any.
func likeDocumented(documented string, got []byte) error {
	var want, have any
	if err := json.Unmarshal([]byte(documented), &want); err != nil {
		return err
	}
	if err := json.Unmarshal(got, &have); err != nil {
		return fmt.Errorf("%q is no JSON: %w", got, err)
	}
	if err := sameShape("answer", want, have); err != nil {
		return fmt.Errorf("%w in %s", err, got)
	}
	return nil
}

func sameShape(where string, want, have any) error {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object", where)
		}
		return sameMembers(where, w, h)
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) == 0 {
			return fmt.Errorf("%s is no list, or has nothing in it", where)
		}
		for i, row := range h {
			if err := sameShape(fmt.Sprintf("%s[%d]", where, i), w[0], row); err != nil {
				return err
			}
		}
	case string:
		h, ok := have.(string)
		if exact := where == "answer.status" || where == "answer.message"; !ok || exact && h != w {
			return fmt.Errorf("%s is %v, want %q", where, have, w)
		}
	}
	return nil
}

func sameMembers(where string, want, have map[string]any) error {
	row, wild := want["*"]
	if w, h := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have)); !wild && !slices.Equal(w, h) {
		return fmt.Errorf("%s has the keys %v, want %v", where, h, w)
	}
	for key, value := range have {
		documented := row
		if !wild {
			documented = want[key]
		}
		list, isList := value.([]any)
		if wild && isList && len(list) == 0 {
			continue
		}
		if err := sameShape(where+"."+key, documented, value); err != nil {
			return err
		}
	}
	return nil
}
