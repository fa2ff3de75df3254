#!/bin/bash
# Installs what the testbed needs and is missing. Run as root on Debian or Ubuntu; running it again changes nothing.
#
#   testbed/setup.sh               install what the demo needs and is missing
#   testbed/setup.sh --for-tests   also what only tests need
#   testbed/setup.sh --check       install nothing, only say what is missing
#
# Elsewhere, or without root, it installs what needs neither, and says what is missing and what can't run without it: tests
# and demo then leave that out. The exit code is 1 only when something that should have worked here failed.
set -euo pipefail

# Versions: all of them are here.
CONTAINERD_VERSION=v2.2.4
CRI_TOOLS_VERSION=v1.36.0
CLOUD_PROVIDER_AWS_VERSION=v1.35.3
KUBERNETES_VERSION=v1.35.4
# The oldest in EKS standard support (until 2026-12-02), where what it does differs.
OLDEST_KUBERNETES_VERSION=v1.34.4
METADATA_MOCK_VERSION=v1.13.0
REFERENCE_VERSION=v0.6.0
SOCI_VERSION=v0.16.1
EVENT_RULER_VERSION=2.1.0
# The release whose systemd and cloud-init are nearest to those of Amazon Linux 2023.
GATE_ROOT_RELEASE=bookworm
# python3-cffi-backend: debootstrap does not resolve virtual packages, and cloud-init needs it.
GATE_ROOT_PACKAGES=systemd,python3,python3-cffi-backend,curl,runc,cloud-init
# The release with the Python of Amazon Linux 2023, for machines without pyenv.
PYTHON39_RELEASE=bullseye
PYTHON_PACKAGES=('moto[server]==5.2.5' awscli==1.46.3 cfn-lint==1.58.0 ruff==0.17.6 mypy==2.4.1 pytest==9.2.0)

# Program to look for, and the Debian package that brings it.
APT_PROGRAMS=(
  curl:curl
  jq:jq
  runc:runc
  docker-registry:docker-registry
  skopeo:skopeo
  htpasswd:apache2-utils
  busybox:busybox-static
  unshare:util-linux
  setpriv:util-linux
  mkfs.ext4:e2fsprogs
  debootstrap:debootstrap
  faketime:faketime
  shellcheck:shellcheck
  python3:python3
  mvn:maven
  javac:default-jdk-headless
)

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cdk-eks-image-prefetcher
check_only=false
for_tests=false
missing=()
failed=false
export PATH=$PATH:/usr/sbin:/sbin

main() {
  case "${1-}" in
    '') ;;
    --check) check_only=true for_tests=true ;;
    --for-tests) for_tests=true ;;
    *) echo "unknown argument $1; allowed: --check, --for-tests, or none" >&2; exit 2 ;;
  esac
  mkdir -p "$cache/bin"
  one_at_a_time
  say_how_long
  apt_programs
  python_environment
  go_engines
  event_ruler
  gate_root
  if $for_tests; then
    oldest_kubelet
    reference_reader
    soci
    python39
  fi
  inotify
  conclude
}

# The kubelet is by far the largest of what is built, and the tests need two.
say_how_long() {
  if $check_only; then
    return
  elif $for_tests && [ ! -e "$cache/kubelet-oldest.version" ]; then
    say "the first set-up for tests downloads and builds containerd, two kubelets and others: about half an hour on two processors, once"
  elif [ ! -e "$cache/kubelet.version" ]; then
    say "the first set-up downloads and builds containerd, the kubelet and others: 15 to 20 minutes on two processors, once"
  fi
}

# One node's systemd, containerd and kubelet take about ten of these, and many machines have no more than 128.
inotify() {
  local limit=/proc/sys/fs/inotify/max_user_instances wanted=1024
  if [ ! -e "$limit" ] || [ "$(cat "$limit")" -ge "$wanted" ] || [ "$(id -u)" != 0 ]; then
    return
  fi
  if $check_only || ! echo "$wanted" >"$limit" 2>/dev/null; then
    lacks "room for inotify" "with many nodes at once containerd or the kubelet may not start (fs.inotify.max_user_instances is $(cat "$limit"))"
  else
    say "raised fs.inotify.max_user_instances to $wanted until this machine's next start: many nodes need more than it had"
  fi
}

say() {
  echo "setup: $*"
}

# Two runs at once would build into each other's files.
one_at_a_time() {
  if command -v flock >/dev/null; then
    exec 9>"$cache/setup.lock"
    flock 9
  fi
}

# lacks WHAT CONSEQUENCE
lacks() {
  missing+=("$1 is missing: $2")
}

apt_programs() {
  local entry program packages=()
  for entry in "${APT_PROGRAMS[@]}"; do
    program=${entry%%:*}
    command -v "$program" >/dev/null || packages+=("${entry##*:}")
  done
  # Present as a module of python3, but without it no virtual environment can be made.
  if command -v python3 >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
    packages+=(python3-venv)
  fi
  if [ "${#packages[@]}" = 0 ]; then
    return
  fi
  if ! $check_only && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing by apt: ${packages[*]}"
    apt_install "${packages[@]}"
  fi
  for entry in "${APT_PROGRAMS[@]}"; do
    program=${entry%%:*}
    command -v "$program" >/dev/null || lacks "$program" "$(consequence "$program") (Debian package ${entry##*:})"
  done
}

consequence() {
  case $1 in
    python3) echo "the tests of the node program, cfn-lint and the ECR stand-in can't run" ;;
    mvn | javac) echo "event patterns can't be matched by AWS's event-ruler" ;;
    faketime) echo "a clock that is off can't be tested" ;;
    shellcheck) echo "shell scripts are not checked" ;;
    debootstrap) echo "the boot gate can't be tested with a real systemd" ;;
    *) echo "real nodes can't run; the demo only explains what they would do" ;;
  esac
}

# Some of these packages start a service when installed; this machine's services are not ours to touch.
apt_install() {
  local policy=/usr/sbin/policy-rc.d ours=false status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=true
  fi
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" >"$cache/apt.log" 2>&1; } || status=$?
  if $ours; then
    rm -f "$policy"
  fi
  if [ "$status" != 0 ]; then
    tail -n 20 "$cache/apt.log" >&2
    say "apt failed with exit code $status, see $cache/apt.log"
    failed=true
  fi
}

# up_to_date NAME VERSION FILE: the file exists and was made from that version.
up_to_date() {
  [ -e "$3" ] && [ "$(cat "$cache/$1.version" 2>/dev/null)" = "$2" ]
}

# provide NAME VERSION FILE CONSEQUENCE COMMAND...: runs the command, which makes the file, unless it is there in that version.
provide() {
  local name=$1 version=$2 file=$3 consequence=$4
  shift 4
  if up_to_date "$name" "$version" "$file"; then
    return
  fi
  if $check_only; then
    lacks "$name" "$consequence"
    return
  fi
  say "building $name ($version)"
  if "$@" >"$cache/$name.log" 2>&1 && [ -e "$file" ]; then
    echo "$version" >"$cache/$name.version"
  else
    tail -n 20 "$cache/$name.log" >&2
    lacks "$name" "$consequence; building it failed, see $cache/$name.log"
    failed=true
  fi
}

python_environment() {
  provide venv "${PYTHON_PACKAGES[*]}" "$cache/venv/bin/moto_server" \
    "the tests of the node program, cfn-lint and the ECR stand-in can't run" make_python_environment
}

make_python_environment() {
  python3 -m venv "$cache/venv" &&
    "$cache/venv/bin/pip" install --disable-pip-version-check "${PYTHON_PACKAGES[@]}"
}

go_engines() {
  if [ "$(uname -s)" != Linux ]; then
    lacks Linux "real nodes can't run; the demo only explains what they would do"
    return
  fi
  local consequence="real nodes can't run; the demo only explains what they would do"
  if ! command -v go >/dev/null; then
    lacks go "containerd and the other engines can't be built; $consequence"
    return
  fi
  export CGO_ENABLED=0
  provide containerd "$CONTAINERD_VERSION" "$cache/bin/containerd" "$consequence" build_containerd
  provide crictl "$CRI_TOOLS_VERSION" "$cache/bin/crictl" "$consequence" \
    build_from_module "sigs.k8s.io/cri-tools@$CRI_TOOLS_VERSION" crictl
  provide ecr-credential-provider "$CLOUD_PROVIDER_AWS_VERSION" "$cache/bin/ecr-credential-provider" "$consequence" \
    build_from_module "k8s.io/cloud-provider-aws@$CLOUD_PROVIDER_AWS_VERSION" ecr-credential-provider
  provide ec2-metadata-mock "$METADATA_MOCK_VERSION" "$cache/bin/ec2-metadata-mock" "$consequence" build_metadata_mock
  provide kubelet "$KUBERNETES_VERSION" "$cache/bin/kubelet" "$consequence" build_kubelet kubelet "$KUBERNETES_VERSION"
}

oldest_kubelet() {
  if [ "$(uname -s)" != Linux ] || ! command -v go >/dev/null; then
    return
  fi
  export CGO_ENABLED=0
  provide kubelet-oldest "$OLDEST_KUBERNETES_VERSION" "$cache/bin/kubelet-oldest" \
    "what differs on nodes of the oldest version that EKS supports can't be tested" build_kubelet kubelet-oldest "$OLDEST_KUBERNETES_VERSION"
}

# build NAME FOLDER PACKAGE [ARGUMENT...]: the old program may be running, so the new one takes its place at once.
build() {
  local name=$1 folder=$2 package=$3
  shift 3
  (cd "$folder" && go build -trimpath "$@" -o "$cache/bin/.$name" "$package") &&
    mv -f "$cache/bin/.$name" "$cache/bin/$name"
}

build_containerd() {
  local name draft status=0
  draft=$(mktemp -d)
  for name in containerd ctr containerd-shim-runc-v2; do
    { GOBIN=$draft go install -trimpath -tags 'no_btrfs no_devmapper no_zfs' \
      "github.com/containerd/containerd/v2/cmd/$name@$CONTAINERD_VERSION" &&
      install "$draft/$name" "$cache/bin/.$name" && mv -f "$cache/bin/.$name" "$cache/bin/$name"; } || status=$?
  done
  rm -rf "$draft"
  return "$status"
}

# The module of Kubernetes takes its own libraries from a folder beside it, so it can't be required as it is: a module of our
# own takes them in the versions that are published from that folder.
#
#   build_kubelet NAME VERSION
build_kubelet() {
  local name=$1 version=$2 source published=v0.${2#v1.} library status=0
  source=$(mktemp -d)
  {
    local arguments=(-require "k8s.io/kubernetes@$version") libraries=()
    mapfile -t libraries < <(sed -n 's/^\t\(k8s.io[^ ]*\) => .\/staging.*/\1/p' "$(module_folder "k8s.io/kubernetes@$version")/go.mod")
    for library in "${libraries[@]}"; do
      arguments+=(-replace "$library=$library@$published")
    done
    printf 'module testbed/kubelet\n\ngo 1.25.0\n' >"$source/go.mod" &&
      (cd "$source" && go mod edit "${arguments[@]}") &&
      build "$name" "$source" k8s.io/kubernetes/cmd/kubelet -mod=mod \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version"
  } || status=$?
  rm -rf "$source"
  return "$status"
}

build_metadata_mock() {
  local draft status=0
  draft=$(mktemp -d)
  { GOBIN=$draft go install -trimpath "github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock@$METADATA_MOCK_VERSION" &&
    install "$draft/ec2-metadata-mock" "$cache/bin/.ec2-metadata-mock" &&
    mv -f "$cache/bin/.ec2-metadata-mock" "$cache/bin/ec2-metadata-mock"; } || status=$?
  rm -rf "$draft"
  return "$status"
}

reference_reader() {
  if ! command -v go >/dev/null; then
    return
  fi
  provide reference-reader "$REFERENCE_VERSION $(cksum <"$here/reference-reader/main.go")" "$cache/bin/reference-reader" \
    "how image names are read is not compared with the kubelet's way" build_reference_reader
}

build_reference_reader() {
  build_own reference-reader "$here/reference-reader/main.go" 1.22 "github.com/distribution/reference $REFERENCE_VERSION"
}

# build_own NAME FILE GO_VERSION REQUIRED: a program of ours, in one file, upon one library.
build_own() {
  local name=$1 file=$2 go=$3 required=$4 source status=0
  source=$(mktemp -d)
  { cp "$file" "$source" &&
    printf 'module testbed/%s\n\ngo %s\n\nrequire %s\n' "$name" "$go" "$required" >"$source/go.mod" &&
    (cd "$source" && go mod tidy) &&
    build "$name" "$source" . -ldflags '-s -w'; } || status=$?
  rm -rf "$source"
  return "$status"
}

# Needs a C compiler and the headers of zlib.
soci() {
  if [ "$(uname -s)" != Linux ] || ! command -v go >/dev/null; then
    return
  fi
  provide soci "$SOCI_VERSION $(cksum <"$here/engines/soci/main.go")" "$cache/bin/soci-snapshotter-grpc" \
    "nodes that pull by SOCI can't be tested" build_soci
}

build_soci() {
  CGO_ENABLED=1 build_own soci-snapshotter-grpc "$here/engines/soci/main.go" 1.26.0 "github.com/awslabs/soci-snapshotter $SOCI_VERSION"
}

# The Python of Amazon Linux 2023, for nodes: pyenv's, else Debian's.
python39() {
  local version consequence="nodes don't run the Python of Amazon Linux 2023"
  version=$(command -v pyenv >/dev/null && pyenv versions --bare 2>/dev/null | grep -x '3\.9\.[0-9]*' | tail -n 1) || version=
  if [ -n "$version" ]; then
    provide python3.9 "$version" "$cache/python3.9/bin/python3.9" "$consequence" python39_of_pyenv "$(pyenv prefix "$version")"
  elif [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
    provide python3.9 "$PYTHON39_RELEASE" "$cache/python3.9/bin/python3.9" "$consequence" python39_of_debian
  elif [ ! -e "$cache/python3.9" ]; then
    say "neither pyenv's Python 3.9 nor debootstrap: the node program runs on $(python3 --version) in the tests"
  fi
}

python39_of_pyenv() {
  rm -rf "$cache/python3.9" "$cache/python3.9.draft"
  cp -a "$1" "$cache/python3.9.draft" && rm -rf "$cache/python3.9.draft/lib/python3.9/test" &&
    mv "$cache/python3.9.draft" "$cache/python3.9"
}

# With the libraries that it is linked with, but for those of the C library: newer ones do.
python39_of_debian() {
  local root=$cache/python3.9.root draft=$cache/python3.9.draft libraries status=0
  rm -rf --one-file-system "$root" "$draft" "$cache/python3.9"
  mkdir -p "$draft/bin" "$draft/lib"
  {
    debootstrap --variant=minbase --include=python3 "$PYTHON39_RELEASE" "$root" &&
      cp -a "$root/usr/bin/python3.9" "$draft/bin" && cp -a "$root/usr/lib/python3.9" "$draft/lib" &&
      mapfile -t libraries < <(chroot "$root" sh -c 'ldd /usr/bin/python3.9 /usr/lib/python3.9/lib-dynload/*.so' |
        sed -n 's/.* => \(\/.*\) (.*/\1/p' | grep -Ev '/lib(c|m|dl|rt|util|pthread|resolv|crypt|nsl|tirpc)[-.]' | sort -u) &&
      cp -L "${libraries[@]/#/$root}" "$draft/lib" &&
      env -i "LD_LIBRARY_PATH=$draft/lib" "$draft/bin/python3.9" -c 'import ctypes, hashlib, json, ssl' &&
      mv "$draft" "$cache/python3.9"
  } || status=$?
  rm -rf --one-file-system "$root"
  return "$status"
}

# build_from_module MODULE@VERSION NAME: `go install` refuses modules that replace others, so they are built from a copy.
build_from_module() {
  local source status=0
  source=$(mktemp -d)
  { cp -R --no-preserve=mode "$(module_folder "$1")/." "$source" && build "$2" "$source" "./cmd/$2" -mod=mod; } || status=$?
  rm -rf "$source"
  return "$status"
}

module_folder() {
  (cd / && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

event_ruler() {
  provide event-ruler "$EVENT_RULER_VERSION $(cat "$here/event-ruler/pom.xml" "$here"/event-ruler/src/main/java/testbed/*.java | cksum)" \
    "$cache/java/classes/testbed/EventRulerLines.class" "event patterns can't be matched by AWS's event-ruler" \
    mvn -q -B -f "$here/event-ruler/pom.xml" "-DeventRulerVersion=$EVENT_RULER_VERSION" "-DoutputFolder=$cache/java" \
    "-DoutputDirectory=$cache/java/lib" -DincludeScope=runtime compile dependency:copy-dependencies
}

# Root file system of the nodes that boot by a real systemd and cloud-init.
gate_root() {
  if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    return
  fi
  provide gate-root "$GATE_ROOT_RELEASE $GATE_ROOT_PACKAGES" "$cache/gate-root/lib/systemd/systemd" \
    "the boot gate can't be tested with a real systemd" make_gate_root
}

make_gate_root() {
  local draft=$cache/gate-root.draft
  rm -rf --one-file-system "$draft" "$cache/gate-root"
  debootstrap --variant=minbase --include="$GATE_ROOT_PACKAGES" "$GATE_ROOT_RELEASE" "$draft" &&
    rm -f "$draft"/var/cache/apt/archives/*.deb &&
    # Nothing starts but what a node's own files say.
    rm -rf "$draft"/etc/systemd/system/* &&
    mv "$draft" "$cache/gate-root"
}

conclude() {
  if [ "$(id -u)" != 0 ]; then
    missing+=("this is not root: real nodes can't run; the demo only explains what they would do")
  fi
  if [ "${#missing[@]}" = 0 ]; then
    say "everything is there"
    return
  fi
  printf 'setup: %s\n' "${missing[@]}"
  if $failed; then
    exit 1
  fi
}

main "$@"
