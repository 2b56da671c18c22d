#!/usr/bin/env bash
# Prints what is linked into the program of an architecture, with the licences that go along with it:
#   copyright.sh ARCH
set -euo pipefail

cd "$(dirname "$0")/.."
text() { # TITLE FILE...
	local title=$1 file
	shift
	for file in "$@"; do
		[ -f "$file" ] || continue
		printf '\n---- %s: %s\n\n' "$title" "$(basename "$file")"
		if grep -q 'TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION' "$file"; then
			echo "Apache License 2.0, in full in /usr/share/common-licenses/Apache-2.0 of Debian."
			sed -n '/^ *Copyright [0-9]/p' "$file" # whose it is, where that stands below
		else
			cat "$file"
		fi
	done
}

cat <<'HEAD'
dialbridge, https://github.com/dialbridge/dialbridge

The program is linked statically with the GNU C library (GNU LGPL 2.1 or later,
/usr/share/common-licenses/LGPL-2.1); "make static" links it anew from its source.
SQLite is in the public domain. What else is in it has these licences:
HEAD
text "Go" "$(go env GOROOT)/LICENSE"
GOOS=linux GOARCH=$1 go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' . | sort -u |
	while read -r module version dir; do
		text "$module $version" "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*
	done
text "pages of the console" console/web/vendor/*LICENSE*
