#!/bin/bash
# First process of a test node, in new mount, PID and UTS namespaces. Makes the node's own root file system, then waits;
# when it ends, the kernel ends every process of the node and takes its mounts away.
set -euo pipefail
folder=$1 cache=$2 name=$3 image_disk_megabytes=$4
root=$folder/root

mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mkdir -p "$root/var/lib/containerd" "$root/var/lib/kubelet" "$root/var/lib/soci-snapshotter-grpc" "$root$cache"
truncate -s "${image_disk_megabytes}M" "$folder/image-disk"
mkfs.ext4 -q -m 0 "$folder/image-disk"
mount -o loop "$folder/image-disk" "$folder/disk"
mkdir -p "$folder/disk/containerd" "$folder/disk/kubelet" "$folder/disk/soci"
# containerd's overlays need a real file system below them, not another overlay.
mount --bind "$folder/disk/containerd" "$root/var/lib/containerd"
mount --bind "$folder/disk/kubelet" "$root/var/lib/kubelet"
mount --bind "$folder/disk/soci" "$root/var/lib/soci-snapshotter-grpc"
for own in run tmp var/log; do
  mount --bind "$folder/$own" "$root/$own"
done
mount -o bind,ro "$cache" "$root$cache"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
# The kubelet wants these of the kernel, and would change this machine's.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$folder/sysctl-${setting%=*}
  mkdir -p "${file%/*}"
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "$root/proc/sys/${setting%=*}"
done
hostname "$name"

cd "$root"
mkdir run/old-root
pivot_root . run/old-root
umount -l /run/old-root
rmdir /run/old-root
echo ready
# Bash reaps the node's orphans meanwhile.
while read -r _; do :; done
