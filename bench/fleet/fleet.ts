import limits from './limits.json';
import { SharedLink } from './link';
import { Quota } from './quota';
import type { Random } from './random';
import type { Timeline } from './timeline';

/** What one node takes for a pull, beside what the network gives it. */
export interface NodeFigures {
  /** From the agent's delivery to the first request, and from the last byte to the report. */
  readonly programSeconds: number;
  /** Seconds to unpack a megabyte (compressed) and bring it to the disk. */
  readonly unpackSecondsPerMegabyte: number;
  /** How much one node differs from the next, as a share. */
  readonly spread: number;
}

export interface ImageFigures {
  readonly megabytes: number;
  readonly layers: number;
}

export interface Network {
  /** What all nodes together can get, in MB/s. */
  readonly sharedMegabytesPerSecond: number;
  readonly nodeMegabytesPerSecond: number;
}

/** Layers come from S3: with its gateway endpoint there is nothing that nodes share. */
export const S3_GATEWAY_ENDPOINT: Network = {
  sharedMegabytesPerSecond: Infinity,
  nodeMegabytesPerSecond: limits.network.nodeMegabytesPerSecond.value,
};
export const NAT_GATEWAY: Network = { ...S3_GATEWAY_ENDPOINT, sharedMegabytesPerSecond: limits.network.natGatewayMegabytesPerSecond.value };

/** ECR as an account sees it, and the way to it. */
export class Ecr {
  readonly quotas: Record<'token' | 'describe' | 'manifest' | 'layer', Quota>;
  readonly link: SharedLink;

  constructor(private readonly timeline: Timeline, network: Network) {
    const quota = (perSecond: number) => new Quota(timeline, perSecond);
    const { GetAuthorizationToken, DescribeImages, BatchGetImage, GetDownloadUrlForLayer } = limits.ecr;
    this.quotas = {
      token: quota(GetAuthorizationToken.perSecond),
      describe: quota(DescribeImages.perSecond),
      manifest: quota(BatchGetImage.perSecond),
      layer: quota(GetDownloadUrlForLayer.perSecond),
    };
    this.link = new SharedLink(timeline, network.sharedMegabytesPerSecond, network.nodeMegabytesPerSecond);
  }

  get throttled(): number {
    return Object.values(this.quotas).reduce((sum, { throttled }) => sum + throttled, 0);
  }

  /**
   * One node's pull: containerd unpacks layers in their order while others are still coming, so that the slower of the two
   * works without a break and the other adds one layer.
   */
  pull(image: ImageFigures, node: NodeFigures, random: Random, done: (ok: boolean) => void): void {
    const { quotas, timeline } = this;
    const refused = () => done(false);
    timeline.after(node.programSeconds * random.spread(node.spread), () =>
      quotas.token.ask(1, random, () =>
        // The tag is resolved, then the manifest is read.
        quotas.manifest.ask(2, random, () =>
          quotas.layer.ask(image.layers + 1, random, () => {
            const began = timeline.now;
            const unpack = image.megabytes * node.unpackSecondsPerMegabyte * random.spread(node.spread);
            this.link.transfer(image.megabytes, () => {
              const download = timeline.now - began;
              const both = Math.max(download + unpack / image.layers, unpack + download / image.layers);
              timeline.at(began + both, () => done(true));
            });
          }, refused), refused), refused));
  }
}
