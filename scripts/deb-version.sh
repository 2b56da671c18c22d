#!/usr/bin/env bash
# Prints the package's version, made from git so that a later commit is newer for dpkg:
#   v1.2.0 itself        1.2.0
#   v1.3.0-rc1           1.3.0~rc1
#   5 commits later      1.2.0+5.gHASH
#   no tag yet           0.0.0+COMMITS.gHASH
# "+dirty" follows where a file differs from the commit.
set -euo pipefail

cd "$(dirname "$0")/.."
if described=$(git describe --tags --long --abbrev=10 --match 'v[0-9]*' 2>/dev/null); then
	hash=${described##*-}
	rest=${described%-*}
	tag=${rest%-*}
	version=${tag#v}
	version=${version//-/\~}
	[ "${rest##*-}" = 0 ] || version+=+${rest##*-}.$hash
elif hash=$(git rev-parse --short=10 HEAD 2>/dev/null); then
	version=0.0.0+$(git rev-list --count HEAD).g$hash
else
	version=0.0.0+unknown
fi
git diff --quiet HEAD 2>/dev/null || version+=+dirty
echo "$version"
