#!/bin/sh
# sweep.sh DIR: removes the control groups of boxes that are gone. DIR is an empty folder.
set -eu
mount -t cgroup2 none "$1"
for group in "$1"/dialbridge-box-*; do
	if [ -d "$group" ] && grep -q '^populated 0' "$group/cgroup.events"; then
		find "$group" -depth -type d -exec rmdir {} + || true
	fi
done
