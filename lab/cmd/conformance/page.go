package main

import (
	_ "embed" // for the lines
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// vendorText are the curl lines of the first vendor's page in their order. The page has lost the blanks between the words; they
// are put back. Those inside of the bodies are as printed.
//
//go:embed vendor.txt
var vendorText string

// olaText has a line for each request address of the second vendor's page, with the placeholders of its path as printed and the
// parameters of its table, in an order in which each has something to work on. The page prints no curl lines.
//
//go:embed ola.txt
var olaText string

// framesText has a line for each method of the second vendor's script: its call as printed, and the frame that the script sends.
//
//go:embed frames.txt
var framesText string

const vendorCount, olaCount, framesCount = 16, 37, 23

// page is what a vendor has published, as lines to play.
type page struct {
	name  string // of the dialect
	lines []string
	steps []step
}

// pages are those that are played with curl.
func pages() ([]page, error) {
	first, err := linesOf(vendorText, vendorCount)
	if err != nil {
		return nil, err
	}
	second, err := linesOf(olaText, olaCount)
	if err != nil {
		return nil, err
	}
	return []page{{"coocenter", first, steps()}, {"ola", second, olaSteps()}}, nil
}

func linesOf(text string, want int) ([]string, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != want {
		return nil, fmt.Errorf("%d lines, want %d", len(lines), want)
	}
	return lines, nil
}

var quotedURL = regexp.MustCompile(`"(https?)://[^/"]+(/[^"]*)"`)

// endpoint is the method and the path of a curl line, without its query.
func endpoint(line string) (method, path string) {
	words := strings.Fields(line)
	if m := quotedURL.FindStringSubmatch(line); m != nil && len(words) > 2 {
		path, _, _ = strings.Cut(m[2], "?")
		return words[2], path
	}
	return "", ""
}

// here makes a line ask the daemon in the place of the page's host: the plain one, or the one over TLS where the page has
// https. Of the first page's numbers only 800 is none of the lab's.
func here(line string, plain, secure *url.URL) string {
	line = quotedURL.ReplaceAllStringFunc(line, func(u string) string {
		m := quotedURL.FindStringSubmatch(u)
		base := plain
		if m[1] == "https" {
			base = secure
		}
		return `"` + base.String() + m[2] + `"`
	})
	return strings.ReplaceAll(line, "extension=800", "extension="+agent)
}

// isDescribed reports whether the daemon says that it has an endpoint. The pages print placeholders bare, or as a shell's variable:
// an element of the path may be anything where the daemon's is a parameter.
func isDescribed(described map[string]bool, method, path string) bool {
	asked := strings.Split(path, "/")
	for known := range described {
		m, p, _ := strings.Cut(known, " ")
		elements := strings.Split(p, "/")
		same := m == method && len(elements) == len(asked)
		for i := 0; same && i < len(asked); i++ {
			same = elements[i] == asked[i] || strings.HasPrefix(elements[i], "{")
		}
		if same {
			return true
		}
	}
	return false
}
