package main

import (
	_ "embed" // for the lines
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// vendorText are the curl lines of the vendor's page in their order. The page has lost the blanks between the words; they
// are put back. Those inside of the bodies are as printed.
//
//go:embed vendor.txt
var vendorText string

const vendorCount = 16

func vendorLines() ([]string, error) {
	lines := strings.Split(strings.TrimSpace(vendorText), "\n")
	if len(lines) != vendorCount {
		return nil, fmt.Errorf("%d curl lines, want %d", len(lines), vendorCount)
	}
	return lines, nil
}

var quotedURL = regexp.MustCompile(`"(https?)://[^/"]+(/[^"]*)"`)

// endpoint is the method and the path of a curl line.
func endpoint(line string) (method, path string) {
	words := strings.Fields(line)
	if m := quotedURL.FindStringSubmatch(line); m != nil && len(words) > 2 {
		return words[2], m[2]
	}
	return "", ""
}

// here makes a line ask the daemon in the place of the page's host: the plain one, or the one over TLS where the page has
// https. Of the page's numbers only 800 is none of the lab's.
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
