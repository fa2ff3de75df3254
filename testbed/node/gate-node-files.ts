import * as path from 'node:path';
import type { NodeSettings } from './node-files';
import { CONTAINERD_SOCKET, nodeFiles, nodeLinks, PAUSE_IMAGE } from './node-files';
import { CACHE_FOLDER, engine } from '../engines/cache';

/** The image list of the CRI at the moment the kubelet starts. */
export const IMAGES_AT_KUBELET_START = '/var/log/images-at-kubelet-start.json';

const UNITS = '/etc/systemd/system';
/** What systemd starts at boot. The kubelet is not among it: nodeadm starts it. */
const AT_BOOT = ['cloud-init.service', 'cloud-final.service', 'nodeadm-run.service'];
/** These need devices or a bus that this node does not have. */
const MASKED = ['getty.target', 'systemd-logind.service'];

/** Files of a node that boots by systemd, whose shape is that of the AL2023 node image. */
export function gateNodeFiles(settings: NodeSettings, userData: string): Record<string, string> {
  return {
    ...nodeFiles(settings),
    '/etc/hosts': '127.0.0.1 localhost\n',
    '/etc/machine-id': `${settings.instanceId.replace('i-', '').padEnd(32, '0')}\n`,
    '/usr/bin/aws': AWS,
    [`${UNITS}/containerd.service`]: CONTAINERD_SERVICE,
    [`${UNITS}/kubelet.service`]: KUBELET_SERVICE,
    [`${UNITS}/cloud-final.service`]: CLOUD_FINAL_SERVICE,
    [`${UNITS}/nodeadm-run.service`]: NODEADM_RUN_SERVICE,
    '/etc/systemd/system.conf.d/testbed.conf': MANAGER_CONFIG,
    '/etc/systemd/system.conf.d/environment.conf': defaultEnvironment(settings.aws),
    '/usr/bin/cloud-init': CLOUD_INIT,
    '/etc/cloud/cloud.cfg': CLOUD_CONFIG,
    '/var/lib/cloud/seed/nocloud-net/user-data': userData,
    '/var/lib/cloud/seed/nocloud-net/meta-data': `instance-id: ${settings.instanceId}\n`,
  };
}

export function gateNodeLinks(settings: NodeSettings): Record<string, string> {
  const { '/usr/bin/aws': _, ...links } = nodeLinks(settings);
  return {
    ...links,
    ...Object.fromEntries(AT_BOOT.map(unit => [`${UNITS}/multi-user.target.wants/${unit}`, `/lib/systemd/system/${unit}`])),
    ...Object.fromEntries(MASKED.map(unit => [`${UNITS}/${unit}`, '/dev/null'])),
  };
}

const PYTHON_PACKAGES = path.join(CACHE_FOLDER, 'venv', 'lib');

/** With the Python of its own release: `python3` of the node is that of AL2023. */
const CLOUD_INIT = `#!/usr/bin/python3.11
import sys
from cloudinit.cmd.main import main
sys.exit(main())
`;

/** The AWS CLI is written in Python alone, so the node's own Python runs it. */
const AWS = `#!/bin/sh
for folder in ${PYTHON_PACKAGES}/python3*/site-packages; do
  export PYTHONPATH="$folder"
done
exec /usr/bin/python3 -m awscli "$@"
`;

const CONTAINERD_SERVICE = `[Unit]
Description=containerd container runtime
After=network.target local-fs.target

[Service]
Type=notify
ExecStart=/usr/bin/containerd
ExecStartPost=/usr/bin/ctr --namespace k8s.io images import --local /etc/eks/pause.tar
ExecStartPost=/usr/bin/ctr --namespace k8s.io images label ${PAUSE_IMAGE} io.cri-containerd.pinned=pinned
Delegate=yes
KillMode=process
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
`;

/** The one of the node image, but for what it runs first: there it sets a firewall rule. */
const KUBELET_SERVICE = `[Unit]
Description=Kubernetes Kubelet
After=containerd.service
Wants=containerd.service

[Service]
Slice=runtime.slice
EnvironmentFile=/etc/eks/kubelet/environment
ExecStartPre=/bin/sh -c '${engine('crictl')} --image-endpoint unix://${CONTAINERD_SOCKET} images --output json >${IMAGES_AT_KUBELET_START}'
ExecStart=/usr/bin/kubelet $NODEADM_KUBELET_ARGS

Restart=on-failure
RestartForceExitStatus=SIGPIPE
RestartSec=5
KillMode=process
CPUAccounting=true
MemoryAccounting=true

[Install]
WantedBy=multi-user.target
`;

/** Far shorter than on a real node (90 s): the shortest wait at the gate has to outlast it. */
const MANAGER_CONFIG = `[Manager]
DefaultTimeoutStartSec=20s
`;

/** As nodeadm writes `instance.environment.default`: for all services. */
function defaultEnvironment(values: Record<string, string>): string {
  return ['[Manager]', ...Object.entries(values).map(([name, value]) => `DefaultEnvironment="${name}=${value}"`), ''].join('\n');
}

/** Debian's own waits for multi-user.target; that of AL2023 does not. */
const CLOUD_FINAL_SERVICE = `[Unit]
Description=Execute cloud user/final scripts
After=network-online.target cloud-init.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/usr/bin/cloud-init modules --mode=final
RemainAfterExit=yes
TimeoutSec=0
KillMode=process
StandardOutput=journal+console
`;

/** nodeadm restarts both and waits until each is active; what it configures is there already. */
const NODEADM_RUN_SERVICE = `[Unit]
Description=EKS Nodeadm Run
After=cloud-final.service

[Service]
Type=oneshot
ExecStart=/bin/systemctl restart containerd.service
ExecStart=/bin/systemctl restart kubelet.service
StandardError=journal+console

[Install]
WantedBy=multi-user.target
`;

/** Runs the scripts of the user data, and keeps cloud-init from configuring anything else. */
const CLOUD_CONFIG = `datasource_list: [NoCloud]
network: {config: disabled}
users: []
cloud_init_modules: []
cloud_config_modules: []
cloud_final_modules: [scripts-user]
system_info: {distro: debian}
`;
