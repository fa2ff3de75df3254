# Sourced by the first process of a node, of which they expect the variables folder, cache, name and image_disk_megabytes.
# shellcheck shell=bash disable=SC2154
root=$folder/root

# make_root LOWER: the node's own root file system over that one, with a disk of its own for images. A node that boots again has both.
make_root() {
  local own
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$folder/upper,workdir=$folder/work" "$root"
  if [ ! -e "$folder/image-disk" ]; then
    truncate -s "${image_disk_megabytes}M" "$folder/image-disk"
    mkfs.ext4 -q -m 0 "$folder/image-disk"
  fi
  mount -o loop "$folder/image-disk" "$folder/disk"
  # A disk that is no file is not held in memory twice. Where that cannot be had, it is only slower.
  losetup --direct-io=on "$(findmnt --noheadings --output SOURCE "$folder/disk")" || true
  # containerd's overlays need a real file system below them, not another overlay.
  for own in containerd kubelet soci-snapshotter-grpc; do
    mkdir -p "$folder/disk/$own" "$root/var/lib/$own"
    mount --bind "$folder/disk/$own" "$root/var/lib/$own"
  done
  # systemd empties /tmp.
  for own in run tmp var/log; do
    mount --bind "$folder/$own" "$root/$own"
  done
  mkdir -p "$root$cache"
  mount -o bind,ro "$cache" "$root$cache"
}

# The kubelet wants these of the kernel, and would change this machine's.
own_kernel_settings() {
  local setting file
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$folder/sysctl-${setting%=*}
    mkdir -p "${file%/*}"
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "$root/proc/sys/${setting%=*}"
  done
}

enter_root() {
  hostname "$name"
  cd "$root" || return
  mkdir run/old-root
  pivot_root . run/old-root
  umount -l /run/old-root
  rmdir /run/old-root
  echo ready
}
