// Package browser drives a headless Chromium for tests of the console: real pages, real clicks and real keys.
//
// A Chromium ends with the test that started it, or with the process, however that ends. Each wait is bounded and says what the page
// showed instead. What a page writes to its console as an error, and what it throws and nobody catches, fails the test.
package browser
