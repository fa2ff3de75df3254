import { CloudWatchLogs } from './cloudwatch-logs';
import { Ecr } from './ecr';
import type { EcrEvent } from './ecr-events';
import { pushEvent } from './ecr-events';
import { buildImage, pushImage } from './images';
import { Moto } from './moto';
import type { Image } from './oci-layout';
import { Registry } from './registry';
import { SsmDocuments } from './ssm-documents';
import { Workspace } from './workspace';
import { GateNode } from '../node/gate-node';
import type { NodeProps } from '../node/node';
import { Node } from '../node/node';
import { ACCOUNT } from '../place';

export interface PushProps {
  readonly repository: string;
  readonly tag: string;
  readonly megabytes: number;
  /** Images with the same size and seed are the same image. @default - repository and tag */
  readonly seed?: string;
  /** How many layers its data is in. @default 4 */
  readonly layers?: number;
  /** Where the repository is: another account or region. @default - the testbed's own */
  readonly ecr?: Ecr;
}

export type NodeOptions = Partial<Pick<NodeProps, 'registries' | 'aws' | 'imageDiskMegabytes' | 'kubelet' | 'kubeletConfig' | 'lifecycleState' | 'soci' | 'metadataWay'>>;

/** An image that is in the registry and known to the ECR API. */
export interface PushedImage {
  /** `HOST/repository:tag` */
  readonly reference: string;
  /** `HOST/repository@sha256:…` */
  readonly digestReference: string;
  readonly image: Image;
  /** What ECR sends to EventBridge. */
  readonly event: EcrEvent;
}

/** One AWS account's ECR with its registry, and nodes that use it. */
export class Testbed {
  static async start(): Promise<Testbed> {
    const workspace = await Workspace.create();
    try {
      const moto = new Moto(workspace, ACCOUNT);
      const ecr = new Ecr(moto);
      const registry = new Registry(workspace, ecr.credentials);
      await Promise.all([moto.start(), registry.start()]);
      return new Testbed(workspace, moto, ecr, registry);
    } catch (error) {
      await workspace.stop();
      throw error;
    }
  }

  readonly nodes: Node[] = [];
  readonly documents: SsmDocuments;
  readonly logs: CloudWatchLogs;

  private constructor(readonly workspace: Workspace, readonly moto: Moto, readonly ecr: Ecr, readonly registry: Registry) {
    this.documents = new SsmDocuments(moto);
    this.logs = new CloudWatchLogs(moto);
  }

  /** Boots a node that reaches the registry by its ECR host name; `registries` adds hosts or puts something else there. */
  addNode(name: string, tags: Record<string, string>, options: NodeOptions = {}): Promise<Node> {
    return this.start(new Node(this.workspace, this.nodeProps(name, tags, options)));
  }

  /** Boots such a node as EC2 does, by systemd and cloud-init with that user data; `meanwhile` is done to it while it boots. */
  addGateNode(
    name: string, tags: Record<string, string>, userData: string, options: NodeOptions = {}, meanwhile?: (node: GateNode) => Promise<unknown>,
  ): Promise<GateNode> {
    return this.start(new GateNode(this.workspace, { ...this.nodeProps(name, tags, options), userData }), meanwhile);
  }

  /** Builds and pushes an image, as a developer's `docker push` does. The repository must exist. */
  async push(props: PushProps): Promise<PushedImage> {
    const { repository, tag, ecr = this.ecr } = props;
    const image = await buildImage(props.megabytes, props.seed ?? `${repository}-${tag}`.replace(/[^a-z0-9-]/gi, '-'), props.layers);
    await pushImage(image, this.registry, repository, tag);
    await ecr.putImage({ repository, tag, digest: image.digest, manifest: image.manifest, mediaType: image.mediaType });
    const { account, region, registryHost } = ecr;
    return {
      reference: `${registryHost}/${repository}:${tag}`,
      digestReference: `${registryHost}/${repository}@${image.digest}`,
      image,
      event: pushEvent({ account, region, repository, tag, digest: image.digest, mediaType: image.mediaType }),
    };
  }

  /** Stops everything and removes every trace. */
  stop(): Promise<void> {
    return this.workspace.stop();
  }

  private nodeProps(name: string, tags: Record<string, string>, options: NodeOptions): NodeProps {
    return {
      aws: { AWS_ENDPOINT_URL: this.moto.endpoint },
      ...options,
      name,
      tags,
      registries: { [this.ecr.registryHost]: this.registry.url, ...options.registries },
      region: this.ecr.region,
    };
  }

  private async start<T extends Node>(node: T, meanwhile?: (node: T) => Promise<unknown>): Promise<T> {
    await Promise.all([node.start(), meanwhile?.(node)]);
    this.nodes.push(node);
    return node;
  }
}
