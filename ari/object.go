package ari

import (
	"context"
	"net/http"
	"slices"
)

// An ObjectID names a dynamic object, such as res_pjsip, endpoint and 801. Sorcery.conf must give its type a database
// ("endpoint = astdb,ps_endpoints").
type ObjectID struct{ Class, Type, ID string }

func (o ObjectID) path() []string {
	return []string{"asterisk", "config", "dynamic", o.Class, o.Type, o.ID}
}

// Object returns all attributes of a dynamic object, or of one that is in a file. Secrets are among them. It fails with
// ErrNotFound when there is none.
func (c *Client) Object(ctx context.Context, id ObjectID) ([]Attribute, error) {
	return c.attributes(ctx, http.MethodGet, id, nil)
}

// PutObject makes a dynamic object, or replaces all of one: attributes that are not given go back to their defaults. It
// counts at once, and returns all attributes. It fails with ErrInvalid for an attribute that Asterisk does not know or
// take, with ErrReadOnly for an object in a file, and with ErrNotFound for an unknown class or type.
//
// An endpoint of res_pjsip needs "allow": Asterisk takes one without it and can then neither read nor delete it.
func (c *Client) PutObject(ctx context.Context, id ObjectID, attributes []Attribute) ([]Attribute, error) {
	if id.Class == "res_pjsip" && id.Type == "endpoint" && !slices.ContainsFunc(attributes, isAllow) {
		return nil, &ArgumentError{Op: "PUT /asterisk/config/dynamic/res_pjsip/endpoint/...", Name: "allow", Reason: "is missing"}
	}
	if attributes == nil {
		attributes = []Attribute{}
	}
	return c.attributes(ctx, http.MethodPut, id, form{"fields": attributes})
}

func isAllow(a Attribute) bool { return a.Name == "allow" && a.Value != "" }

// DeleteObject removes a dynamic object. It fails with ErrNotFound when there is none, and with ErrReadOnly when it is in
// a file.
func (c *Client) DeleteObject(ctx context.Context, id ObjectID) error {
	return c.done(ctx, http.MethodDelete, nil, id.path()...)
}

func (c *Client) attributes(ctx context.Context, method string, id ObjectID, args form) ([]Attribute, error) {
	answer, err := c.call(ctx, method, id.path(), args)
	if err != nil {
		return nil, err
	}
	if all, ok := parseAll(answer, newAttribute); ok {
		return all, nil
	}
	return nil, c.foreign(method, id.path())
}
