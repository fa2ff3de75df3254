import * as fs from 'node:fs';
import * as path from 'node:path';
import { kubeletFiles } from './kubelet-files';
import { sociFiles, withSoci } from './soci-files';
import { STATIC_PODS_FOLDER } from './static-pods';
import { CACHE_FOLDER, engine, pythonTool } from '../engines/cache';

/** What the files of a node depend on. */
export interface NodeSettings {
  readonly name: string;
  readonly instanceId: string;
  readonly availabilityZone: string;
  /** The registry behind each host name. */
  readonly registries: Record<string, string>;
  /** Where AWS answers and where the instance metadata is: a node on EC2 knows both. */
  readonly aws: Record<string, string>;
  /** On the loopback address, which all nodes share. */
  readonly kubeletPorts: { readonly api: number; readonly readOnly: number };
  /** Parent of the pods' control groups, as the node sees it. */
  readonly podsControlGroup: string;
  /** What the kubelet's configuration has besides. */
  readonly kubeletConfig: object;
  /** Whether images are pulled by the SOCI snapshotter. */
  readonly soci: boolean;
  /** The engine that is the node's kubelet. */
  readonly kubelet: string;
}

/** Only `testbed/setup.sh --for-tests` builds it. */
export const OLDEST_KUBELET = 'kubelet-oldest';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
export const PAUSE_IMAGE = 'localhost/kubernetes/pause:latest';
export const CREDENTIAL_PROVIDER_FOLDER = '/etc/eks/image-credential-provider';
export const CREDENTIAL_PROVIDER_CONFIG = `${CREDENTIAL_PROVIDER_FOLDER}/config.json`;

/** Files of an AL2023 node as nodeadm writes them, by path. */
export function nodeFiles(settings: NodeSettings): Record<string, string> {
  return {
    '/etc/hostname': `${settings.name}\n`,
    '/etc/containerd/config.toml': settings.soci ? withSoci(CONTAINERD_CONFIG) : CONTAINERD_CONFIG,
    ...settings.soci ? sociFiles(settings) : {},
    ...kubeletFiles(settings),
    [`${STATIC_PODS_FOLDER}/.keep`]: '',
    [CREDENTIAL_PROVIDER_CONFIG]: json(credentialProviderConfig(settings)),
    ...Object.fromEntries(Object.entries(settings.registries).map(([host, url]) => [`/etc/containerd/certs.d/${host}/hosts.toml`, hostsToml(url)])),
  };
}

/** Programs of the node, by path. */
export function nodeLinks(settings: NodeSettings): Record<string, string> {
  return {
    '/usr/bin/aws': pythonTool('aws'),
    '/usr/bin/containerd': engine('containerd'),
    '/usr/bin/containerd-shim-runc-v2': engine('containerd-shim-runc-v2'),
    '/usr/bin/ctr': engine('ctr'),
    '/usr/bin/kubelet': engine(settings.kubelet),
    [`${CREDENTIAL_PROVIDER_FOLDER}/ecr-credential-provider`]: engine('ecr-credential-provider'),
    ...pythonLinks(),
  };
}

/** The Python of AL2023, where `testbed/setup.sh --for-tests` brought it, with its libraries. @default - this machine's */
function pythonLinks(): Record<string, string> {
  const folder = path.join(CACHE_FOLDER, 'python3.9');
  if (!fs.existsSync(folder)) {
    return {};
  }
  const libraries = fs.readdirSync(`${folder}/lib`).filter(name => /^lib.*\.so\.[0-9.]+$/.test(name));
  return {
    '/usr/bin/python3': `${folder}/bin/python3.9`,
    ...Object.fromEntries(libraries.map(name => [`/usr/lib/${name}`, `${folder}/lib/${name}`])),
  };
}

/** As on AL2023 with containerd 2.2, but for the control groups (no systemd here) and the scores a machine may forbid. */
const CONTAINERD_CONFIG = `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'

[grpc]
address = '${CONTAINERD_SOCKET}'

[plugins.'io.containerd.cri.v1.images']
discard_unpacked_layers = true

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '${PAUSE_IMAGE}'

[plugins.'io.containerd.cri.v1.images'.registry]
config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'

[plugins.'io.containerd.cri.v1.runtime']
enable_cdi = true
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/opt/cni/bin']
conf_dir = '/etc/cni/net.d'

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '/usr/sbin/runc'
`;

function credentialProviderConfig(settings: NodeSettings): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1',
    kind: 'CredentialProviderConfig',
    providers: [{
      name: 'ecr-credential-provider',
      matchImages: [
        '*.dkr.ecr.*.amazonaws.com',
        '*.dkr-ecr.*.on.aws',
        '*.dkr.ecr.*.amazonaws.com.cn',
        '*.dkr-ecr.*.on.amazonwebservices.com.cn',
        '*.dkr.ecr-fips.*.amazonaws.com',
        '*.dkr-ecr-fips.*.on.aws',
        '*.dkr.ecr.*.c2s.ic.gov',
        '*.dkr.ecr.*.sc2s.sgov.gov',
        '*.dkr.ecr.*.cloud.adc-e.uk',
        '*.dkr.ecr.*.csp.hci.ic.gov',
        '*.dkr.ecr.*.amazonaws.eu',
        'public.ecr.aws',
        'ecr-public.aws.com',
      ],
      defaultCacheDuration: '12h0m0s',
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      // Only here: on EC2 the plugin finds endpoint and role by itself.
      env: Object.entries(settings.aws).map(([name, value]) => ({ name, value })),
    }],
  };
}

function hostsToml(url: string): string {
  return `server = '${url}'\n\n[host.'${url}']\ncapabilities = ['pull', 'resolve']\n`;
}

function json(content: object): string {
  return `${JSON.stringify(content, undefined, 4)}\n`;
}
