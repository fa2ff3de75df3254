import type { NodeSettings } from './node-files';
import { CONTAINERD_SOCKET } from './node-files';

export const SOCI_SOCKET = '/run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock';
export const SOCI_CONFIG = '/etc/soci-snapshotter-grpc/config.toml';

/** What nodeadm's FastImagePull writes: SOCI in parallel pull mode, and the kubelet's images through its socket. */
export function sociFiles(settings: NodeSettings): Record<string, string> {
  return {
    [SOCI_CONFIG]: `[content_store]
type = 'containerd'
containerd_address = '${CONTAINERD_SOCKET}'

[cri_keychain]
enable_keychain = true
image_service_path = '${CONTAINERD_SOCKET}'

[pull_modes.soci_v1]
enable = false

[pull_modes.soci_v2]
enable = false

[pull_modes.parallel_pull_unpack]
enable = true
max_concurrent_downloads = -1
max_concurrent_downloads_per_image = 20
concurrent_download_chunk_size = '16mb'
max_concurrent_unpacks = -1
max_concurrent_unpacks_per_image = 12
discard_unpacked_layers = true
${Object.entries(settings.registries).map(([host, url]) => mirror(host, url)).join('')}`,
    '/etc/kubernetes/kubelet/config.json.d/30-soci.conf': `${JSON.stringify({
      kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1', imageServiceEndpoint: `unix://${SOCI_SOCKET}`,
    })}\n`,
  };
}

/** Makes SOCI the snapshotter of containerd's CRI. */
export function withSoci(containerdConfig: string): string {
  return containerdConfig.replace('discard_unpacked_layers = true', 'discard_unpacked_layers = true\nsnapshotter = \'soci\'\ndisable_snapshot_annotations = false')
    + `
[proxy_plugins.soci]
type = 'snapshot'
address = '${SOCI_SOCKET}'

[proxy_plugins.soci.exports]
root = '/var/lib/soci-snapshotter-grpc'
`;
}

function mirror(host: string, url: string): string {
  return `\n[[resolver.host.'${host}'.mirrors]]\nhost = '${url}'\ninsecure = true\n`;
}
