#!/bin/bash
# First process of a test node, in new mount, PID and UTS namespaces. Makes the node's own root file system, then waits;
# when it ends, the kernel ends every process of the node and takes its mounts away.
set -euo pipefail
folder=$1 cache=$2 name=$3 image_disk_megabytes=$4
root=$folder/root

mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mkdir -p "$root/var/lib/containerd" "$root$cache"
if [ "$image_disk_megabytes" != 0 ]; then
  truncate -s "${image_disk_megabytes}M" "$folder/image-disk"
  mkfs.ext4 -q -m 0 "$folder/image-disk"
  mount -o loop "$folder/image-disk" "$folder/containerd"
fi
# containerd's overlays need a real file system below them, not another overlay.
mount --bind "$folder/containerd" "$root/var/lib/containerd"
for own in run tmp var/log; do
  mount --bind "$folder/$own" "$root/$own"
done
mount -o bind,ro "$cache" "$root$cache"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
hostname "$name"

cd "$root"
mkdir run/old-root
pivot_root . run/old-root
umount -l /run/old-root
rmdir /run/old-root
echo ready
# Bash reaps the node's orphans meanwhile.
while read -r _; do :; done
