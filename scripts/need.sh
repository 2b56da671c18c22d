#!/usr/bin/env bash
# Installs, with apt, what building and testing need and what is missing:
#   need.sh build   a C compiler (SQLite is C) and the certificates of the module proxy
#   need.sh deb ARCH...   the same, and the compilers of those architectures that this machine is not
#   need.sh qemu    the same, what runs programs of the other architectures, and what looks for faults in packages
#   need.sh lab     the same, what the lab boots Asterisk and whole machines with, and curl for the conformance run
#   need.sh test    the same, what looks for faults in packages, Chromium for the pages of the console, and the languages of docs/receivers
#   need.sh receivers  those languages
#   need.sh npm     npm, for what tests take from its registry
#   need.sh pictures    a font for Chinese
# Does nothing, and needs no rights, when all of it is there.
set -euo pipefail

missing=()
want() { # COMMAND-OR-FILE PACKAGE
	case $1 in
	/*) [ -e "$1" ] || missing+=("$2") ;;
	*) command -v "$1" >/dev/null 2>&1 || missing+=("$2") ;;
	esac
}

want gcc gcc
want /usr/include/stdlib.h libc6-dev
want /etc/ssl/certs/ca-certificates.crt ca-certificates
languages() {
	want python3 python3
	want node nodejs
	want npm npm
	want php php-cli
	want javac default-jdk-headless
	php -m 2>/dev/null | grep -qx pdo_sqlite || missing+=(php-sqlite3)
}
machines() {
	want mmdebstrap mmdebstrap
	want curl curl
	want git git
	want ip iproute2
	want xz xz-utils
}
case ${1:-build} in
deb)
	for arch in "${@:2}"; do
		case $arch-$(uname -m) in
		amd64-x86_64 | arm64-aarch64) ;;
		amd64-*)
			want x86_64-linux-gnu-gcc gcc-x86-64-linux-gnu
			want /usr/x86_64-linux-gnu/lib/libc.a libc6-dev-amd64-cross
			;;
		arm64-*)
			want aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
			want /usr/aarch64-linux-gnu/lib/libc.a libc6-dev-arm64-cross
			;;
		esac
	done
	want git git
	;;
qemu)
	want qemu-aarch64-static qemu-user-static
	want qemu-x86_64-static qemu-user-static
	want lintian lintian
	;;
lab) machines ;;
test) machines; want lintian lintian; want chromium chromium; languages ;;
receivers) languages ;;
npm) want npm npm ;;
pictures) want /usr/share/fonts/truetype/wqy/wqy-microhei.ttc fonts-wqy-microhei ;;
esac

[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "need.sh: please install: ${missing[*]} (this is no Debian or Ubuntu, so it is left to you)" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "need.sh: please run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

echo "need.sh: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
lock=(-o DPkg::Lock::Timeout=300)
if ! { apt-get "${lock[@]}" update -q && apt-get "${lock[@]}" install -qy --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	echo "need.sh: apt-get could not install ${missing[*]}" >&2
	exit 1
fi
