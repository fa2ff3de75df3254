#!/bin/bash
# First process of a test node, in new mount, PID and UTS namespaces. Makes the node's own root file system, then waits;
# when it ends, the kernel ends every process of the node and takes its mounts away.
set -euo pipefail
folder=$1 cache=$2 name=$3 image_disk_megabytes=$4
# shellcheck source=testbed/node/node-root.sh
source "${0%/*}/node-root.sh"

make_root /
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
own_kernel_settings
enter_root
# Bash reaps the node's orphans meanwhile.
while read -r _; do :; done
