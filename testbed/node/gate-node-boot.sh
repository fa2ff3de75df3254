#!/bin/bash
# First process of a gated test node, in new mount, PID, UTS and control group namespaces: makes the node's root file
# system, then becomes systemd. When it ends, the kernel ends every process of the node and takes its mounts away.
set -euo pipefail
folder=$1 cache=$2 name=$3 image_disk_megabytes=$4
# shellcheck source=testbed/node/node-root.sh
source "${0%/*}/node-root.sh"

make_root "$cache/gate-root"

# What systemd may not change on this machine is read-only, as in any container.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
own_kernel_settings
mount -t sysfs -o ro sysfs "$root/sys"

# No disk and no terminal of this machine.
mount -t tmpfs -o mode=755 devices "$root/dev"
for device in null zero full random urandom tty; do
  cp -a "/dev/$device" "$root/dev/"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# The kubelet listens there for processes that ran out of memory.
ln -s null "$root/dev/kmsg"

groups=$root/sys/fs/cgroup
if grep -q '^[1-9]' /proc/self/cgroup; then
  mount -t tmpfs -o mode=755 control-groups "$groups"
  while IFS=: read -r _ controllers _; do
    tree=$groups/${controllers#name=}
    if [ -z "$controllers" ]; then
      mkdir "$groups/unified"
      mount -t cgroup2 cgroup2 "$groups/unified"
    else
      mkdir "$tree"
      mount -t cgroup -o "${controllers/#name=/none,name=}" cgroup "$tree"
    fi
  done </proc/self/cgroup
else
  mount -t cgroup2 cgroup2 "$groups"
fi

enter_root
# The variable tells systemd that the machine is not its own.
exec env -i container=testbed PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin /lib/systemd/systemd >/dev/null 2>&1 </dev/null
