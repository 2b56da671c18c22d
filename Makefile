SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT      ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS     := -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Tools are kept outside of the checkout, so that a fresh clone finds them built.
CACHE       := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
LINT_VERSION := v2.15.0
LINT_DIR    := $(CACHE)/dialbridge-tools/golangci-lint-$(LINT_VERSION)-$(shell go env GOVERSION)
LINT        := $(LINT_DIR)/golangci-lint
PROMTOOL    := $(CACHE)/dialbridge-tools/promtool/promtool
NFPM_VERSION := v2.44.2
NFPM_DIR    := $(CACHE)/dialbridge-tools/nfpm-$(NFPM_VERSION)-$(shell go env GOVERSION)
NFPM        := $(NFPM_DIR)/nfpm

MD2MAN_VERSION := v2.0.7
MD2MAN_DIR  := $(CACHE)/dialbridge-tools/go-md2man-$(MD2MAN_VERSION)-$(shell go env GOVERSION)
MD2MAN      := $(MD2MAN_DIR)/go-md2man
# Whose the packages are: set it to yourself when you hand them on. Nobody reads mail at this address.
MAINTAINER  ?= The dialbridge project <dialbridge@users.noreply.github.com>

# What looks for faults of accessibility in pages. Its version stands where it is used.
AXE_VERSION := $(shell sed -n 's/^const axeVersion = "\(.*\)"/\1/p' lab/browser/axe.go)
AXE_DIR     := $(CACHE)/dialbridge-tools/axe-core-$(AXE_VERSION)
AXE         := $(AXE_DIR)/axe.min.js

FUZZTIME    ?= 30s
FAULT       ?=
TESTFLAGS   ?=
# The calls on real Asterisks take the longest, and mostly wait: the other packages are tested beside them.
PKG         ?= ./lab/bridge ./...

# Packages and static programs are made for these, whatever this machine is.
ARCHS       ?= amd64 arm64
BIN         ?= bin
DIST        ?= dist
CC_amd64    := x86_64-linux-gnu-gcc
CC_arm64    := aarch64-linux-gnu-gcc
# Names and users are looked up by Go itself, and the time zones are in the program: nothing of another libc is needed.
STATIC_TAGS := netgo,osusergo,timetzdata,sqlite_omit_load_extension
STATIC_LDFLAGS := -s -w -linkmode external -extldflags "-static"
DEB_VERSION ?= $(shell scripts/deb-version.sh)

# SQLite is C.
export CGO_ENABLED := 1

.PHONY: help build test race fuzz lint fmt golden cover bench demo conformance faults soak wander load receivers pictures lab deb static test-deb test-deb-arm64 clean check need-build need-deb need-lab need-promtool need-receivers need-test

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: need-build ## build bin/dialbridge
	go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/dialbridge .

test: need-test ## run the tests of PKG (all) with the race detector, on real Asterisk too
	go test -race -shuffle=on -timeout 30m -p 2 $(TESTFLAGS) $(PKG)

race: need-test ## run the tests of PKG (all) three times over, to find races
	go test -race -shuffle=on -timeout 30m -p 2 -count=3 $(TESTFLAGS) $(PKG)

fuzz: need-build ## run each fuzz target for FUZZTIME (30s)
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
	  for target in $$(go test -list '^Fuzz' $$dir | grep '^Fuzz'); do \
	    echo "== $$dir $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzzminimizetime 20x -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done

lint: need-build need-promtool $(LINT) ## run the linters, gofmt, go vet, go mod tidy, and promtool on the alerts
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi
	go vet ./...
	$(LINT) run ./...
	go mod tidy -diff
	$(PROMTOOL) check rules docs/prometheus/alerts.yml
	$(PROMTOOL) test rules docs/prometheus/alerts_test.yml

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION), which takes about two minutes, once"
	mkdir -p $(LINT_DIR)
	cd / && GOFLAGS= GOBIN=$(LINT_DIR) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

fmt: ## format all Go files
	gofmt -w $$(git ls-files '*.go')

golden: need-test ## write the golden files anew; read the difference before you commit it
	go test $$(grep -rl --include='*_test.go' 'internal/golden"' . | xargs -r -n1 dirname | grep -vx '[.]' | sort -u) ./internal/golden -update
	git diff --stat

cover: need-test ## run all tests and show how much of the code they reach
	go test -timeout 30m -p 2 -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

bench: need-build ## run the benchmarks of PKG (all), COUNT times (1)
	go test -p 1 -run '^$$' -bench . -benchmem -count=$(or $(COUNT),1) -timeout 2h $(PKG)

demo: need-lab ## a PBX with phones, the daemon and a receiver, on this machine
	go run ./lab/cmd/demo

conformance: need-lab ## what the vendors' pages print, line by line, against real Asterisk 16 and 22
	go run ./lab/cmd/conformance

faults: need-lab ## every fault that delivery survives, often, and a table (FAULT="word..." for some)
	go run ./lab/cmd/faults $(FAULT)

wander: need-lab ## calls by chance on each Asterisk; what was followed is compared with what a new look sees (ROUNDS=10 SEED=1)
	go test -count=1 -timeout 60m -v -run 'TestWander$$' ./lab/bridge -args -wander $(or $(ROUNDS),10) -wander-seed $(or $(SEED),1)

soak: need-lab ## 2000 mixed calls on each Asterisk, the link cut again and again (CALLS=2000)
	go test -count=1 -timeout 60m -v -run 'TestSoak$$' ./lab/bridge -args -soak $(or $(CALLS),2000)

load: need-build ## the daemon beside a busy (fake) Asterisk, and a table (RATES=10,50,200 SPAN=20s)
	go test -count=1 -timeout 3h -v -run 'TestLoad$$' ./lab/load -args -rates $(or $(RATES),10,50,200) -span $(or $(SPAN),20s) -extra '[webhook]|concurrency = 32'

receivers: need-receivers ## the receivers of docs/receivers: real events are pushed, forged ones refused
	go test -count=1 -v ./lab/receivers

pictures: need-test ## make the pictures of the toolbar and the console for the documents anew
	@scripts/need.sh pictures
	mkdir -p docs/img
	go test -count=1 -run 'TestTheAgentsDayInABrowser$$/22' ./lab/bridge -args -pictures $(CURDIR)/docs/img

static: $(ARCHS:%=$(BIN)/linux-%/dialbridge) ## build bin/linux-ARCH/dialbridge for ARCHS, which run on any Linux

$(BIN)/linux-%/dialbridge: need-deb FORCE
	CC=$(CC_$*) GOOS=linux GOARCH=$* go build -trimpath -buildvcs=false -tags $(STATIC_TAGS) -o $@ \
	  -ldflags '$(LDFLAGS) $(STATIC_LDFLAGS)' .

deb: $(NFPM) $(MD2MAN) static ## build dist/dialbridge_VERSION_ARCH.deb for ARCHS
	@for arch in $(ARCHS); do NFPM=$(NFPM) MD2MAN=$(MD2MAN) MAINTAINER='$(MAINTAINER)' scripts/deb.sh $$arch $(BIN)/linux-$$arch/dialbridge $(DEB_VERSION) $(DIST); done

test-deb: need-lab ## the packages of both architectures on Debian with Asterisk 16 and 22: install, upgrade, purge
	@scripts/need.sh qemu
	go test -count=1 -timeout 60m -v ./lab/box -args -all

test-deb-arm64: need-lab ## the package of arm64 in a Debian of arm64, by an emulator: install, start, purge (some minutes, by hand)
	@scripts/need.sh qemu
	$(MAKE) deb ARCHS=arm64
	go run ./lab/cmd/foreign arm64 $(DIST)/dialbridge_$(DEB_VERSION)_arm64.deb

$(NFPM):
	@echo "building nfpm $(NFPM_VERSION), which takes about a minute, once"
	mkdir -p $(NFPM_DIR)
	cd / && GOFLAGS= GOBIN=$(NFPM_DIR) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)

$(MD2MAN):
	mkdir -p $(MD2MAN_DIR)
	cd / && GOFLAGS= GOBIN=$(MD2MAN_DIR) go install github.com/cpuguy83/go-md2man/v2@$(MD2MAN_VERSION)

FORCE:

lab: need-lab ## a real Asterisk to play with, until ctrl-C
	go run ./lab/cmd/lab

clean: ## remove what was built
	rm -rf bin dist coverage.out

check: lint test ## lint and test: what must pass before a change is handed in

need-build:
	@scripts/need.sh build

need-deb:
	@scripts/need.sh deb $(ARCHS)

need-lab:
	@scripts/need.sh lab

need-promtool:
	@scripts/promtool.sh

need-receivers:
	@scripts/need.sh receivers

need-test: need-promtool $(AXE)
	@scripts/need.sh test

$(AXE):
	@scripts/need.sh npm
	mkdir -p $(AXE_DIR)
	cd $(AXE_DIR) && npm pack --silent axe-core@$(AXE_VERSION)
	cd $(AXE_DIR) && tar -xzf axe-core-$(AXE_VERSION).tgz --strip-components=1 package/LICENSE package/axe.min.js && rm axe-core-$(AXE_VERSION).tgz
	touch $(AXE)
