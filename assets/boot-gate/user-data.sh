#!/bin/sh
# cdk-eks-image-prefetcher: the kubelet of this node starts when the wanted images are there, after @SECONDS@ seconds, or
# when anything goes wrong, whichever comes first. Log: journalctl -u image-prefetcher-boot-gate
set -u
mkdir -p /usr/local/lib/cdk-eks-image-prefetcher /etc/systemd/system/kubelet.service.d

cat > /usr/local/lib/cdk-eks-image-prefetcher/boot_gate.py <<'PYTHON'
@BOOT_GATE@
PYTHON

# Ends well whatever happens, and stays active: a later restart of the kubelet does not wait again.
cat > /etc/systemd/system/image-prefetcher-boot-gate.service <<'UNIT'
[Unit]
Description=Container images before the first pod (cdk-eks-image-prefetcher)
After=containerd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/bin/sh -c '/usr/bin/timeout --kill-after=5 @SECONDS@ /usr/bin/python3 -IS /usr/local/lib/cdk-eks-image-prefetcher/boot_gate.py @DOCUMENT@ @REGION@ @SUFFIX@ @SECONDS@ || echo "exit code $$?: images are missing, the kubelet starts without them"'
TimeoutStartSec=infinity
UNIT

# Wants, not Requires: the kubelet starts even when this unit can't.
cat > /etc/systemd/system/kubelet.service.d/10-image-prefetcher-boot-gate.conf <<'UNIT'
[Unit]
Wants=image-prefetcher-boot-gate.service
After=image-prefetcher-boot-gate.service
UNIT

systemctl daemon-reload
