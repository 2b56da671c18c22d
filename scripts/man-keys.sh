#!/usr/bin/env bash
# Prints what api.conf.example says, in roff, for the manual page api.conf(5): how it is written, then each section with its keys.
set -euo pipefail

cd "$(dirname "$0")/.."
awk '
BEGIN { print ".nh" } # no hyphen in the name of a key
function safe(s) { # what roff would take for its own; it makes other signs of ^ and - too, which would be copied
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	gsub(/\^/, "\\(ha", s)
	return s ~ /^[.\047]/ ? "\\&" s : s
}
function tell() { # the keys with what was said over them, or what was said alone
	if (keys == 0 && text != "") print ".PP"
	for (i = 1; i <= keys; i++) print (i == 1 ? ".TP" : ".TQ") "\n\\fB" safe(key[i]) "\\fR"
	printf "%s", text
	text = ""
	keys = 0
}
NR == 1 { next } # which file it is
/^\[/ { tell(); print ".SS " safe($0); next }
/^#? ?$/ { tell(); next }
/^#/ {
	if (keys > 0) tell()
	sub(/^# /, "")
	if ($0 ~ /^(\[|[a-z0-9_.-]+ =( |$))/) text = text ".br\n" safe($0) "\n" # a line as it may stand there
	else text = text safe($0) "\n"
	next
}
{ key[++keys] = $0 }
END { tell() }
' api.conf.example
