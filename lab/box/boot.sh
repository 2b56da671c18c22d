#!/bin/sh
# boot.sh ROOT DIR NAME [bare]: becomes the first process of a box, in the namespaces that it was started in. ROOT is only read; DIR is an
# empty folder to mount things in; NAME is that of the control group. A bare one has no systemd, as a container: what its first process
# does is to wait.
set -eu
root=$1 dir=$2 name=$3 bare=${4-}

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$dir"
mkdir "$dir/upper" "$dir/work" "$dir/root" "$dir/groups"
mount -t cgroup2 none "$dir/groups"
mkdir "$dir/groups/$name"
echo $$ >"$dir/groups/$name/cgroup.procs"

exec unshare --cgroup --propagation unchanged /bin/sh -eu -c '
root=$1 dir=$2 bare=$3
umount "$dir/groups"
mount -t overlay -o "lowerdir=$root,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/root"
cd "$dir/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	touch "dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ip link set lo up
ip link add name box0 address 02:00:00:00:00:01 type veth peer name box1 address 02:00:00:00:00:01
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
if [ -n "$bare" ]; then
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c "touch /run/up; while :; do sleep 60 & wait; done"
fi
exec env -i container=dialbridge PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=true
' sh "$root" "$dir" "$bare"
