package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Page is a tab, or a frame that has a process of its own. Its methods fail the test when what they are for cannot be done in time.
type Page struct {
	b   *Browser
	ctx context.Context

	mu       sync.Mutex
	errors   []string
	expected []string
}

// Open opens an address in a window of its own, so that it is seen whatever else is opened, and waits until it is loaded.
func (b *Browser) Open(url string) *Page {
	b.t.Helper()
	p := b.attach("", true)
	p.do(chromedp.Navigate(url))
	return p
}

// Tab opens an address in a new tab of a window that is there, which hides the tabs beside it, and waits until it is loaded.
func (b *Browser) Tab(url string) *Page {
	b.t.Helper()
	p := b.attach("", false)
	p.do(chromedp.Navigate(url))
	return p
}

// Popup waits for a tab that was opened by a page and whose address holds a text.
func (b *Browser) Popup(part string) *Page {
	b.t.Helper()
	return b.find("page", part)
}

// Frame waits for a frame of another site, whose address holds a text. Clicks in it are made by script, as Chromium takes those of a mouse
// in tabs alone.
func (b *Browser) Frame(part string) *Page {
	b.t.Helper()
	return b.find("iframe", part)
}

func (b *Browser) find(kind, part string) *Page {
	b.t.Helper()
	var id target.ID
	var have []string
	if !wait(func() bool {
		list, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		have = nil
		for _, info := range list {
			have = append(have, info.Type+" "+info.URL)
			if info.Type == kind && strings.Contains(info.URL, part) && !b.seen[string(info.TargetID)] {
				id = info.TargetID
				return true
			}
		}
		return false
	}) {
		b.t.Fatalf("no %s with %q in its address came; there are %q", kind, part, have)
	}
	return b.attach(id, false)
}

// attach makes a Page of a target, or of a new tab, in a window of its own or not, and listens to its console.
func (b *Browser) attach(id target.ID, window bool) *Page {
	b.t.Helper()
	opts := []chromedp.ContextOption{chromedp.WithNewWindow(window)}
	if id != "" {
		opts = []chromedp.ContextOption{chromedp.WithTargetID(id)}
	}
	ctx, cancel := chromedp.NewContext(b.ctx, opts...)
	p := &Page{b: b, ctx: ctx}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		cancel()
		b.t.Fatalf("chromium: a new page: %v", err)
	}
	b.mu.Lock()
	b.seen[string(chromedp.FromContext(ctx).Target.TargetID)] = true
	b.mu.Unlock()
	b.t.Cleanup(func() {
		p.check()
		cancel()
	})
	return p
}

// listen keeps what a page complains of. A request that fails is told by the log, and anything that a script says by the console.
func (p *Page) listen(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if ev.Type != runtime.ConsoleAPICalledTypeError && ev.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		var words []string
		for _, a := range ev.Args {
			words = append(words, cmp.Or(strings.Trim(string(a.Value), `"`), a.Description))
		}
		p.complain("console: " + strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
		p.complain("thrown: " + text)
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError {
			p.complain("log: " + ev.Entry.Text + " " + ev.Entry.URL)
		}
	}
}

func (p *Page) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, text)
}

// Expect names a part of errors that the page may tell: those of a link that the test cuts.
func (p *Page) Expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

func (p *Page) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, text := range p.errors {
		for _, part := range p.expected {
			if strings.Contains(text, part) {
				continue next
			}
		}
		p.b.t.Errorf("the page has an error: %s", text)
	}
}

// do runs actions within the time that there is.
func (p *Page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.b.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.b.t.Fatalf("chromium: %v\n%s", err, p.shown())
	}
}

// call sends one command of the protocol.
func call[P, R any](p *Page, cmd cdp.Command[P, R], params P) {
	p.b.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cmd, params)
		return err
	}))
}

// wait asks until the answer is yes or patience ends.
func wait(ok func() bool) bool {
	limit := time.After(patience)
	for !ok() {
		select {
		case <-limit:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// eval is Eval for those who wait: a page that is just being loaded has no answer.
func (p *Page) eval(script string, into any) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if into == nil {
		return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise))
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Eval runs a script in the page and decodes what it, or its promise, comes to.
func (p *Page) Eval(script string, into any) {
	p.b.t.Helper()
	if err := p.eval(script, into); err != nil {
		p.b.t.Fatalf("chromium: %s: %v", script, err)
	}
}

// Until waits until an expression of the page is true.
func (p *Page) Until(what, expression string) {
	p.b.t.Helper()
	if !wait(func() bool {
		var ok bool
		return p.eval("Boolean("+expression+")", &ok) == nil && ok
	}) {
		p.b.t.Fatalf("waiting for %s\n%s", what, p.shown())
	}
}

// quoted is a text as a string of JavaScript.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // a string can always be encoded
	}
	return string(b)
}

// visible is an expression: the first element of a selector that is seen, or undefined.
func visible(selector string) string {
	return "Array.from(document.querySelectorAll(" + quoted(selector) + ")).find(e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0)"
}

// Wait waits until an element is seen.
func (p *Page) Wait(selector string) {
	p.b.t.Helper()
	p.Until(selector, visible(selector))
}

// WaitGone waits until no element of a selector is seen.
func (p *Page) WaitGone(selector string) {
	p.b.t.Helper()
	p.Until(selector+" to be gone", "!"+visible(selector))
}

// WaitText waits until one of the elements that are seen holds a text.
func (p *Page) WaitText(selector, text string) {
	p.b.t.Helper()
	p.Until(fmt.Sprintf("%s with %q", selector, text), "Array.from(document.querySelectorAll("+quoted(selector)+
		")).some(e => e.checkVisibility({visibilityProperty: true}) && e.innerText.includes("+quoted(text)+"))")
}

// Text is what the first element that is seen shows; it waits for one.
func (p *Page) Text(selector string) (text string) {
	p.b.t.Helper()
	p.Wait(selector)
	p.Eval("("+visible(selector)+").innerText", &text)
	return text
}

// Click waits until an element is seen, stands still, can be used and is covered by nothing, and clicks on its middle with a mouse.
func (p *Page) Click(selector string) {
	p.b.t.Helper()
	const at = `(() => {
		const e = %s;
		if (!e || e.matches(':disabled')) return null;
		e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
		const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
		const top = document.elementFromPoint(x, y);
		if (!top || !(e.contains(top) || top.closest('label')?.control === e)) return null;
		return [x, y];
	})()`
	script := fmt.Sprintf(at, visible(selector))
	var before, place []float64
	if !wait(func() bool {
		before, place = place, nil
		return p.eval(script, &place) == nil && len(place) == 2 && slices.Equal(before, place)
	}) {
		p.b.t.Fatalf("nothing to click on: %s\n%s", selector, p.shown())
	}
	if p.framed() {
		p.Eval("("+visible(selector)+").click()", nil)
		return
	}
	p.do(chromedp.MouseClickXY(place[0], place[1]))
}

// framed tells whether the page is a frame of another one.
func (p *Page) framed() (is bool) {
	p.Eval("window.top !== window", &is)
	return is
}

// Type puts the focus on an element, empties it and types a text with a keyboard.
func (p *Page) Type(selector, text string) {
	p.b.t.Helper()
	p.Wait(selector)
	p.Eval("(() => { const e = "+visible(selector)+"; e.focus(); e.select?.(); })()", nil)
	if text == "" {
		p.Press(kb.Backspace)
		return
	}
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// Press presses keys where the focus is: a text, or constants of package kb such as kb.Tab.
func (p *Page) Press(keys string) {
	p.b.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// Select chooses the option of a list by its value.
func (p *Page) Select(selector, value string) {
	p.b.t.Helper()
	option := selector + ` > option[value="` + value + `"]`
	p.Until(option, "document.querySelector("+quoted(option)+")")
	p.Eval("(() => { const e = "+visible(selector)+"; e.value = "+quoted(value)+"; e.dispatchEvent(new Event('change', {bubbles: true})); })()", nil)
}

// Size makes the page so many CSS pixels wide and high.
func (p *Page) Size(width, height int64) {
	p.b.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// Freeze lets nothing run in a page that is frozen, as browsers do with tabs that nobody has looked at for long; Freeze(false) wakes it.
func (p *Page) Freeze(on bool) {
	p.b.t.Helper()
	state := page.SetWebLifecycleStateStateActive
	if on {
		state = page.SetWebLifecycleStateStateFrozen
	}
	call(p, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
}

// Zone makes the page believe that its machine stands in another zone, such as "America/New_York".
func (p *Page) Zone(name string) {
	p.b.t.Helper()
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
}

// Prefer makes the page believe in "light" or "dark".
func (p *Page) Prefer(scheme string) {
	p.b.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// Screenshot writes what the page shows to a PNG file.
func (p *Page) Screenshot(file string) {
	p.b.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.b.t.Fatalf("chromium: %v", err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil { //nolint:gosec // a picture for everybody
		p.b.t.Fatal(err)
	}
}

// Front puts the tab before the others, which are hidden then.
func (p *Page) Front() {
	p.b.t.Helper()
	call(p, page.BringToFront, cdp.Empty{})
}

// Close closes the tab.
func (p *Page) Close() {
	p.b.t.Helper()
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.b.t.Errorf("chromium: close: %v", err)
	}
}

// shown is what the page shows, for who waits for something else.
func (p *Page) shown() string {
	var text string
	if err := p.eval("location.href + '\\n' + document.body.innerText", &text); err != nil {
		text = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return "the page shows: " + text + "\nerrors: " + strings.Join(p.errors, "; ")
}
