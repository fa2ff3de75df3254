import type { NodeSettings } from './node-files';
import { CONTAINERD_SOCKET, CREDENTIAL_PROVIDER_CONFIG, CREDENTIAL_PROVIDER_FOLDER } from './node-files';
import { STATIC_PODS_FOLDER } from './static-pods';

const CONFIG = '/etc/kubernetes/kubelet/config.json';
const ENVIRONMENT = '/etc/eks/kubelet/environment';
/** Merged last. */
export const TESTBED_CONFIG = `${CONFIG}.d/90-testbed.conf`;
const KIND = { kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1' };

/** The kubelet's configuration and arguments: nodeadm's, and a drop-in with what a node without a cluster needs. */
export function kubeletFiles(settings: NodeSettings): Record<string, string> {
  return {
    [CONFIG]: json({
      ...KIND,
      containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
      providerID: `aws:///${settings.availabilityZone}/${settings.instanceId}`,
      cgroupDriver: 'systemd',
      hairpinMode: 'hairpin-veth',
      protectKernelDefaults: true,
      serializeImagePulls: false,
      maxPods: 58,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'nodefs.inodesFree': '5%' },
      logging: { verbosity: 2 },
    }),
    [TESTBED_CONFIG]: json({ ...KIND, ...standalone(settings), ...settings.kubeletConfig }),
    [ENVIRONMENT]: `NODEADM_KUBELET_ARGS="${kubeletArguments(settings).join(' ')}"\n`,
  };
}

/** Without an API server, and without changing anything of this machine. */
function standalone(settings: NodeSettings): object {
  return {
    staticPodPath: STATIC_PODS_FOLDER,
    address: '127.0.0.1',
    port: settings.kubeletPorts.api,
    readOnlyPort: settings.kubeletPorts.readOnly,
    healthzPort: 0,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    makeIPTablesUtilChains: false,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    cgroupRoot: settings.podsControlGroup,
    enforceNodeAllocatable: ['none'],
    failCgroupV1: false,
    failSwapOn: false,
    // A pod's start and its pulls are read from the log.
    logging: { verbosity: 3 },
  };
}

/** The kubelet's command line, as nodeadm makes it, but for the kubeconfig: without one it needs no cluster. */
export function kubeletArguments(settings: NodeSettings): string[] {
  return [
    '--cloud-provider=external',
    `--hostname-override=${settings.name}`,
    '--node-ip=127.0.0.1',
    '--runtime-cgroups=/runtime.slice/containerd.service',
    `--config=${CONFIG}`,
    `--config-dir=${CONFIG}.d`,
    `--image-credential-provider-bin-dir=${CREDENTIAL_PROVIDER_FOLDER}`,
    `--image-credential-provider-config=${CREDENTIAL_PROVIDER_CONFIG}`,
  ];
}

function json(content: object): string {
  return `${JSON.stringify(content, undefined, 4)}\n`;
}
