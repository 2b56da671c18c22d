#!/bin/sh
# foreign.sh ARCH BINFMT PACKAGE ROOT: installs the package of another architecture in a Debian of that architecture, starts the daemon, and
# removes and purges the package. Its programs are run by the emulator, which the kernel is told of here and not outside (BINFMT is Debian's
# line for it). ROOT is an archive of the Debian, made when it is not there. In namespaces of its own, as root in them.
set -eu
arch=$1 binfmt=$2 package=$3 archive=$4

mount -t proc proc /proc
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
cat "$binfmt" >/proc/sys/fs/binfmt_misc/register
dir=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$dir" # gone with the namespaces
trap 'umount --lazy "$dir"; rmdir "$dir"' EXIT
if [ ! -e "$archive" ]; then
	echo "making a Debian of $arch, which takes some minutes, once" >&2
	mmdebstrap --quiet --variant=minbase --mode=root --architectures="$arch" --include=adduser,debconf bookworm "$dir/made"
	tar --directory="$dir/made" --create --file="$archive.$$" .
	mv "$archive.$$" "$archive"
	rm -rf "$dir/made"
fi
mkdir "$dir/root"
tar --directory="$dir/root" --extract --file="$archive" --exclude='./dev/*'
touch "$dir/root/dev/null"
mount --bind /dev/null "$dir/root/dev/null"
touch "$dir/root/dev/urandom"
mount --bind /dev/urandom "$dir/root/dev/urandom"
mount --bind /proc "$dir/root/proc"
cp "$package" "$dir/root/package.deb"

chroot "$dir/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive /bin/sh -eu -c '
say() { echo "== $*"; }
say "machine: $(uname -m)"
dpkg --install /package.deb
say "the program: $(dialbridge version)"
test "$(stat -c %U:%G:%a /etc/dialbridge/api.conf)" = root:dialbridge:640
dialbridge check | sed -n "/^ok /p"
start-stop-daemon --start --background --make-pidfile --pidfile /run/dialbridge.pid --chuid dialbridge:dialbridge --umask 027 --output /var/log/dialbridge.log \
	--exec /usr/bin/dialbridge -- serve --config /etc/dialbridge/api.conf
tries=0
until grep -q "dialbridge is running" /var/log/dialbridge.log 2>/dev/null; do
	tries=$((tries + 1))
	if [ $tries -gt 300 ]; then
		cat /var/log/dialbridge.log
		exit 1
	fi
	sleep 0.2
done
say "the daemon runs as $(stat -c %U /proc/$(cat /run/dialbridge.pid)): $(dialbridge check | grep "is served by the daemon that runs")"
kill -TERM "$(cat /run/dialbridge.pid)"
while test -d "/proc/$(cat /run/dialbridge.pid)"; do sleep 0.2; done
say "it has ended: $(grep -c "dialbridge is stopping" /var/log/dialbridge.log)"
dpkg --remove dialbridge
test -s /var/lib/dialbridge/dialbridge.db
dpkg --purge dialbridge
test ! -e /var/lib/dialbridge
test ! -e /etc/dialbridge
say "removed and purged"
'
