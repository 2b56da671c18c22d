package ari

import (
	"context"
	"net/http"
)

// Endpoints lists the endpoints of a technology, "" is all of them. It fails with ErrNotFound when there is no such
// technology.
func (c *Client) Endpoints(ctx context.Context, technology string) ([]Endpoint, error) {
	if technology == "" {
		return many(ctx, c, newEndpoint, "endpoints")
	}
	return many(ctx, c, newEndpoint, "endpoints", technology)
}

// Endpoint returns one endpoint, such as PJSIP and 801. It fails with ErrNotFound when there is none.
func (c *Client) Endpoint(ctx context.Context, technology, resource string) (Endpoint, error) {
	return one(ctx, c, http.MethodGet, newEndpoint, nil, "endpoints", technology, resource)
}

// DeviceState returns the state of any device, such as PJSIP/801. One that does not exist is INVALID or UNKNOWN.
func (c *Client) DeviceState(ctx context.Context, device string) (DeviceState, error) {
	return one(ctx, c, http.MethodGet, newDeviceState, nil, "deviceStates", device)
}

// ReloadModule makes a module, such as res_pjsip.so, read its configuration again.
func (c *Client) ReloadModule(ctx context.Context, name string) error {
	return c.done(ctx, http.MethodPut, nil, "asterisk", "modules", name)
}

// GlobalVariable returns a global variable, "" when it is not set. A dialplan function is evaluated: name must not come
// from outside.
func (c *Client) GlobalVariable(ctx context.Context, name string) (string, error) {
	answer, err := c.call(ctx, http.MethodGet, []string{"asterisk", "variable"}, form{"variable": name})
	return plain(member(answer, "value")), err
}

// SetGlobalVariable sets a global variable or function.
func (c *Client) SetGlobalVariable(ctx context.Context, name, value string) error {
	return c.done(ctx, http.MethodPost, form{"variable": name, "value": value}, "asterisk", "variable")
}

// done makes a request whose answer says nothing.
func (c *Client) done(ctx context.Context, method string, args form, path ...string) error {
	_, err := c.call(ctx, method, path, args)
	return err
}

// one makes a request whose answer is an object.
func one[T any](ctx context.Context, c *Client, method string, parse func(string) *T, args form, path ...string) (T, error) {
	answer, err := c.call(ctx, method, path, args)
	if err != nil {
		return *new(T), err
	}
	if found := parse(answer); found != nil {
		return *found, nil
	}
	return *new(T), c.foreign(method, path)
}

// many makes a request whose answer is a list.
func many[T any](ctx context.Context, c *Client, parse func(string) *T, path ...string) ([]T, error) {
	answer, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if all, ok := parseAll(answer, parse); ok {
		return all, nil
	}
	return nil, c.foreign(http.MethodGet, path)
}

// foreign is the error of an answer that is JSON but not what was asked for.
func (c *Client) foreign(method string, path []string) error {
	op, _, _ := c.target(method, path) // the path was sound before
	return &Error{Op: op, Status: http.StatusOK, Err: ErrForeign, Outcome: outcome(method, true)}
}
