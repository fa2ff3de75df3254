import { Duration } from 'aws-cdk-lib';
import * as logs from 'aws-cdk-lib/aws-logs';
import { aws_ecr, aws_eks, aws_events } from 'aws-cdk-lib/interfaces';
import { ImageSelection } from './image-selection';
import { NodeSelection } from './node-selection';

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
   * On how many nodes a roll-out works at a time: a number (`20`) from 1, or a percentage of the selected nodes (`10%`)
   * from 1% to 100%. It throttles what the registry and a NAT gateway see.
   *
   * @default '50%' - half of the nodes pull while the other half works undisturbed
   * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/send-commands-multiple.html
   */
  readonly maxConcurrency?: string;

  /**
   * After how many failed nodes a roll-out stops going to further nodes: a number (`0` to stop at the first), or a
   * percentage (`10%`) from 0% to 100%.
   *
   * @default '100%' - a failed prefetch harms nothing, so one sick node keeps no other cold
   */
  readonly maxErrors?: string;

  /**
   * How often every node is brought back to the wanted list, in whole minutes, from 30 minutes to 31 days. New nodes
   * don't wait for it.
   *
   * @default Duration.minutes(30) - the shortest that State Manager allows
   */
  readonly reconcileEvery?: Duration;

  /**
   * How long a run on one node may take, from 1 minute to 48 hours. What is not there by then is reported and tried again
   * by the next reconcile.
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
   * How long the output of push runs is kept in CloudWatch Logs.
   *
   * @default logs.RetentionDays.ONE_MONTH
   */
  readonly logRetention?: logs.RetentionDays;

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
   * Whether a push brings the image to the nodes at once.
   *
   * @default true
   */
  readonly onPush?: boolean;

  /**
   * Whether new nodes get the wanted images, and all nodes are brought back to the wanted list every `reconcileEvery`.
   *
   * @default true
   */
  readonly onJoin?: boolean;

  /**
   * An event bus of this account and region to which ECR events of other accounts and regions are forwarded.
   *
   * @default - only repositories of this account and region prefetch on push
   * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
   */
  readonly eventBus?: aws_events.IEventBusRef;
}
