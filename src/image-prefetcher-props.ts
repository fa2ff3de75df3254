import type { Duration } from 'aws-cdk-lib';
import type { aws_ecr, aws_eks, aws_events, aws_logs, aws_sqs } from 'aws-cdk-lib/interfaces';
import type { ImageSelection } from './image-selection';
import type { NodeLimit } from './node-limit';
import type { NodeSelection } from './node-selection';

/** Properties of an `ImagePrefetcher`. */
export interface ImagePrefetcherProps {
  /** The cluster whose nodes keep the images: of aws-eks, aws-eks-v2, `CfnCluster`, or imported. */
  readonly cluster: aws_eks.IClusterRef;

  /**
   * Managed node groups whose nodes keep the images; short for `NodeSelection.nodegroups()`.
   *
   * @default - only what `nodes` selects; one of the two must be given
   */
  readonly nodegroups?: aws_eks.INodegroupRef[];

  /**
   * Nodes that keep the images.
   *
   * @default - only the `nodegroups`
   */
  readonly nodes?: NodeSelection[];

  /**
   * ECR repositories whose newest image the nodes keep; short for `ImageSelection.repository()`.
   *
   * @default - only what `images` selects; one of the two must be given
   */
  readonly repositories?: aws_ecr.IRepositoryRef[];

  /**
   * Tags that count in `repositories`: exact (`stable`) or with `*` (`v*`, `*-prod`).
   *
   * @default - every tag
   */
  readonly imageTags?: string[];

  /**
   * Images that the nodes keep, in order of priority: when the disk gets tight, the first ones stay. They come before `repositories`.
   *
   * @default - only the newest images of `repositories`
   */
  readonly images?: ImageSelection[];

  /**
   * On how many nodes the roll-out of a push works at a time, from 1 node or 1 percent. It throttles what the registry and a NAT
   * gateway see: behind one, more than 100 at a time are not faster. Instances that do not answer (stopped ones of a warm pool) hold a
   * place each; where there are many, give a percentage. Joining nodes and reconciles are not held back by it; what spreads reconciles
   * is a delay of up to two minutes on each node.
   *
   * @default NodeLimit.nodes(500) - half of what ECR's quotas on layers allow, and all nodes of most clusters
   * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/send-commands-multiple.html
   */
  readonly maxConcurrency?: NodeLimit;

  /**
   * After how many failed nodes the roll-out of a push goes to no further ones; `NodeLimit.nodes(0)` stops it at the first.
   *
   * @default NodeLimit.percent(100) - a failed prefetch harms nothing, so one sick node keeps no other cold
   */
  readonly maxErrors?: NodeLimit;

  /**
   * How often every node is brought back to the wanted list, in whole minutes, from 30 minutes to 31 days. New nodes
   * don't wait for it.
   *
   * @default Duration.minutes(30) - the shortest that State Manager allows
   */
  readonly reconcileEvery?: Duration;

  /**
   * How long a run on one node may take, from 1 minute to 48 hours. What is not there by then is reported and tried again
   * by the next reconcile. State Manager reports a run of more than 2 hours as stuck.
   *
   * @default Duration.hours(1) - enough for 100 GB at 30 MB/s
   */
  readonly timeout?: Duration;

  /**
   * How many images a node pulls side by side, 1 to 16. containerd already downloads the layers of one image side by side.
   *
   * @default 2 - small images don't wait behind a large one
   */
  readonly parallelPulls?: number;

  /**
   * The log group that every run reports to, of this account and region. Give your own for another retention, a key, or one for several
   * prefetchers.
   *
   * @default - a new one, kept for a month and removed with the prefetcher
   */
  readonly logGroup?: aws_logs.ILogGroupRef;

  /**
   * The SQS queue for push events that did not start the runbook, after 24 hours of retries by EventBridge. It must let EventBridge send to it
   * when it was imported, or is an L1.
   *
   * @default - a new one, encrypted, TLS only, which keeps messages for 14 days
   * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
   */
  readonly deadLetterQueue?: aws_sqs.IQueueRef;

  /**
   * Whether the kubelet's image garbage collection leaves the wanted images alone. Without it they go first when the
   * disk gets tight, because no container has used them yet.
   *
   * @default true
   */
  readonly pinImages?: boolean;

  /**
   * Percent of the nodes' image filesystem, 1 to 84, that no pull goes past. The kubelet starts to evict images at 85.
   *
   * @default 75
   */
  readonly maxDiskUsage?: number;

  /**
   * Whether a push to ECR brings the image to the nodes at once. Without it, a pipeline can still start the runbook (`runbookNames`).
   *
   * @default true
   */
  readonly prefetchOnPush?: boolean;

  /**
   * Whether new nodes get the wanted images, and all nodes are brought back to the wanted list every `reconcileEvery`.
   *
   * @default true
   */
  readonly reconcile?: boolean;

  /**
   * An event bus of this account and region to which ECR events of other accounts and regions are forwarded. In a stack without an
   * environment, every repository whose account or region is spelled out counts as another's.
   *
   * @default - only repositories of this account and region prefetch on push
   * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
   */
  readonly eventBus?: aws_events.IEventBusRef;
}
