#!/usr/bin/env bash
# Puts promtool, which checks the page of metrics and the alerts, into the folder of tools, where it is not there yet. It is taken out of
# Debian's package of Prometheus, of the version that this Debian has: installing the package would start a server, and building it from
# source takes minutes.
set -euo pipefail

promtool=${XDG_CACHE_HOME:-$HOME/.cache}/dialbridge-tools/promtool/promtool
[ ! -x "$promtool" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "promtool.sh: please put promtool at $promtool (this is no Debian or Ubuntu, so it is left to you)" >&2
	exit 1
fi

echo "promtool.sh: fetching promtool" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fetch() { apt-get download -q prometheus >log 2>&1 </dev/null; }
if ! fetch && ! { apt-get -o DPkg::Lock::Timeout=300 update -q >log 2>&1 </dev/null && fetch; }; then
	tail -n 20 log >&2
	echo "promtool.sh: apt-get could not download prometheus" >&2
	exit 1
fi
dpkg-deb -x prometheus_*.deb x
mkdir -p "$(dirname "$promtool")"
mv x/usr/bin/promtool "$promtool.$$"
mv "$promtool.$$" "$promtool"
