#!/bin/bash
# Gives this process control groups of its own, as the root of a new control group namespace, and goes on with the
# command: systemd there finds, makes and removes nothing of this machine's.
#
#   gate-node-groups.sh GROUP COMMAND...
set -euo pipefail
group=$1
shift

# Read at once: the file changes with every step below.
membership=$(cat /proc/self/cgroup)

# Version 1 has a tree for each controller, version 2 a single one; a machine can have both.
while IFS=: read -r _ controllers _; do
  tree=/sys/fs/cgroup/${controllers#name=}
  if [ -z "$controllers" ]; then
    tree=/sys/fs/cgroup/unified
    [ -d "$tree" ] || tree=/sys/fs/cgroup
  fi
  parent=$tree
  for part in ${group//\// }; do
    mkdir -p "$parent/$part"
    if [ "$controllers" = cpuset ]; then
      # Without these, no process may enter.
      cat "$parent/cpuset.cpus" >"$parent/$part/cpuset.cpus"
      cat "$parent/cpuset.mems" >"$parent/$part/cpuset.mems"
    elif [ "$tree" = /sys/fs/cgroup ]; then
      # A group hands on what it has. What a machine doesn't let go of, its pods do without.
      read -ra available <"$parent/cgroup.controllers"
      for controller in "${available[@]}"; do
        echo "+$controller" >"$parent/cgroup.subtree_control" || true
      done
    fi
    parent=$parent/$part
  done
  echo 0 >"$parent/cgroup.procs"
done <<<"$membership"

exec unshare --cgroup "$@"
