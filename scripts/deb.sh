#!/usr/bin/env bash
# Makes the Debian package of a program that has been built:
#   NFPM=... MD2MAN=... MAINTAINER="NAME <ADDRESS>" deb.sh ARCH PROGRAM VERSION DIRECTORY
# The same commit gives the same bytes: every date in the package is that of the commit (SOURCE_DATE_EPOCH).
set -euo pipefail

cd "$(dirname "$0")/.."
export DEB_ARCH=$1 DEB_BINARY DEB_VERSION=$3
DEB_BINARY=$(realpath "$2")
dir=$4
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
export DEB_STAGE
DEB_STAGE=$(mktemp -d)
trap 'rm -rf "$DEB_STAGE"' EXIT

umask 022
scripts/copyright.sh "$DEB_ARCH" >"$DEB_STAGE/copyright"
date=$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" -R)
export MAINTAINER="${MAINTAINER:?}"
gzip -9n >"$DEB_STAGE/changelog.gz" <<TEXT
dialbridge ($DEB_VERSION) unstable; urgency=medium

  * What is new is in /usr/share/doc/dialbridge/CHANGELOG.md.

 -- $MAINTAINER  $date
TEXT
scripts/man-keys.sh >"$DEB_STAGE/keys"
for page in dialbridge.8 api.conf.5; do
	sed "s/@VERSION@/$DEB_VERSION/; s/@DATE@/$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%B %Y')/" "docs/man/$page.md" |
		"${MD2MAN:-go-md2man}" | sed "/^@KEYS@/{
			r $DEB_STAGE/keys
			d
		}" | gzip -9n >"$DEB_STAGE/$page.gz"
done
# Documents keep their places, so that their links hold. What only engineers read stays out.
mkdir "$DEB_STAGE/doc"
git ls-files -z README.md CHANGELOG.md '*/README.md' docs ':!docs/adr' ':!docs/bench' ':!docs/man' ':!lab' ':!*.gitignore' | xargs -0 cp --parents -t "$DEB_STAGE/doc"

mkdir -p "$dir"
"${NFPM:-nfpm}" package --config systemd/nfpm.yaml --packager deb --target "$dir/dialbridge_${DEB_VERSION}_${DEB_ARCH}.deb" >&2
echo "$dir/dialbridge_${DEB_VERSION}_${DEB_ARCH}.deb"
