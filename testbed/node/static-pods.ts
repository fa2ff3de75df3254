import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { waitFor } from '../engines/processes';

export const STATIC_PODS_FOLDER = '/etc/kubernetes/manifests';

/** How the kubelet comes by the image of a container. */
export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

/** What the kubelet says of a pod's only container. */
export interface ContainerStatus {
  readonly ready: boolean;
  readonly imageId: string;
  readonly containerId: string;
  /** Such as ErrImageNeverPull. */
  readonly waiting?: string;
  readonly message?: string;
}

interface RawPod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly containerStatuses?: {
      readonly ready: boolean;
      readonly imageID: string;
      readonly containerID?: string;
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

/** The static pods of one kubelet: manifests in its folder, and what its read-only port says of them. */
export class StaticPods {
  /** `folder` is where this machine sees the folder of the manifests. */
  constructor(private readonly node: string, private readonly folder: () => string, private readonly endpoint: () => string) {}

  /** Gives the kubelet a manifest. The pod shares the node's network. */
  create(name: string, image: string, pullPolicy: PullPolicy): void {
    const draft = path.join(path.dirname(this.folder()), `.${name}.json`);
    fs.writeFileSync(draft, JSON.stringify(manifest(name, image, pullPolicy)));
    // At once, lest the kubelet read half of it.
    fs.renameSync(draft, path.join(this.folder(), `${name}.json`));
  }

  /** Takes all manifests away, and waits until the kubelet has ended their pods. */
  async removeAll(): Promise<void> {
    fs.readdirSync(this.folder()).forEach(file => fs.rmSync(path.join(this.folder(), file)));
    await waitFor(`the pods of ${this.node} to end`, async () => (await this.list()).length === 0 || undefined, 120);
  }

  async status(name: string): Promise<ContainerStatus | undefined> {
    // The kubelet adds the node's name to that of a static pod.
    const pod = (await this.list()).find(({ metadata }) => metadata.name === `${name}-${this.node}`);
    const raw = pod?.status.containerStatuses?.[0];
    return raw && {
      ready: raw.ready,
      imageId: raw.imageID,
      containerId: (raw.containerID ?? '').replace('containerd://', ''),
      waiting: raw.state?.waiting?.reason,
      message: raw.state?.waiting?.message,
    };
  }

  private async list(): Promise<RawPod[]> {
    const response = await fetch(`${this.endpoint()}/pods`);
    if (!response.ok) {
      throw new Error(`the kubelet of ${this.node} answered ${response.status}`);
    }
    return (await response.json() as { items: RawPod[] | null }).items ?? [];
  }
}

function manifest(name: string, image: string, imagePullPolicy: PullPolicy): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: crypto.randomUUID() },
    spec: {
      hostNetwork: true,
      enableServiceLinks: false,
      // The container of a test image does not hear the first signal.
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image, imagePullPolicy }],
    },
  };
}
