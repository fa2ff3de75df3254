import { Duration, Names, RemovalPolicy } from 'aws-cdk-lib';
import type { MultipartUserData } from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { BootGate } from './boot-gate';
import type { BootGateOptions } from './boot-gate-options';
import { CommandDocument } from './command-document';
import { ImagePrefetcherProps } from './image-prefetcher-props';
import { ImageSelection } from './image-selection';
import { NodePermissions } from './node-permissions';
import { NodeSelection } from './node-selection';
import { toNodeTargets } from './node-targets';
import { Push } from './push';
import { Reconcile } from './reconcile';
import { validateProps } from './validate-props';
import { renderWantedImages } from './wanted-images';

/**
 * Keeps container images on EKS nodes before pods need them, with nothing to run in the cluster.
 *
 * An image pushed to ECR goes to every selected node at once (EventBridge, SSM Automation, Run Command); a State Manager
 * association brings new nodes and nodes that drifted to the wanted list. Nodes pull as their own kubelet does.
 *
 * @throws an error at synth for anything that cannot work; the messages say what to change
 */
export class ImagePrefetcher extends Construct {
  /** Where push runs write one JSON line per image and node. */
  public readonly logGroup: logs.ILogGroup;

  /** Name of the SSM Command document with the node program. */
  public readonly documentName: string;

  constructor(scope: Construct, id: string, props: ImagePrefetcherProps) {
    super(scope, id);
    validateProps(this, props);

    // Which images, on which nodes.
    const images = selectedImages(props).flatMap(image => image._bind(this));
    const selections = selectedNodes(props).map(nodes => nodes._bind(this, props.cluster));
    const targets = toNodeTargets(selections.flatMap(selection => selection.tagSets));

    // Where it reports, the node program, and what that is told.
    this.logGroup = new logs.LogGroup(this, 'LogGroup', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const document = new CommandDocument(this, 'Document', {
      owner: Names.uniqueResourceName(this, { maxLength: 64, separator: '-' }),
      images: renderWantedImages(images),
      parallelPulls: props.parallelPulls ?? 2,
      pinImages: props.pinImages ?? true,
      maxDiskUsage: props.maxDiskUsage ?? 75,
      timeout: props.timeout ?? Duration.hours(1),
      logGroupName: this.logGroup.logGroupName,
    });
    this.documentName = document.documentName;

    // What the nodes may do.
    new NodePermissions(this, 'Nodes', {
      images,
      nodes: selections.flatMap(selection => selection.nodes),
      logGroup: this.logGroup,
    });

    // When it runs.
    const rollOut = { document, targets, maxConcurrency: props.maxConcurrency ?? '50%', maxErrors: props.maxErrors ?? '100%' };
    const onJoin = props.onJoin ?? true;
    if (props.onPush ?? true) {
      const push = new Push(this, 'Push', { ...rollOut, images, logGroupName: this.logGroup.logGroupName, eventBus: props.eventBus });
      if (!push.canHappen && !onJoin) {
        throw new Error('an ImagePrefetcher must run at some moment, got onJoin false and no image whose push raises an event here: leave onJoin on, or give eventBus');
      }
    }
    if (onJoin) {
      new Reconcile(this, 'Reconcile', { ...rollOut, every: props.reconcileEvery ?? Duration.minutes(30) });
    }
  }

  /**
   * Makes the kubelet of a new AL2023 node wait, for a bounded time, until the wanted images are there: no pod can be
   * scheduled to a cold node. It fails open: at the bound, or when anything goes wrong, the kubelet starts.
   *
   * The gate goes into the user data of a launch template; other parts of it stay as they are. It names this prefetcher's
   * SSM document and holds no list of images, so that a new image or a new version of this library leaves the launch
   * template, and with it the running nodes, as they are. A node waits at one gate: give one prefetcher all the images
   * that its first pods need.
   *
   * @throws an error at synth when this user data has a boot gate already, or when `maxWait` is out of its range
   */
  public addBootGate(userData: MultipartUserData, options: BootGateOptions = {}): void {
    new BootGate(this, this.documentName, options).addTo(userData);
  }

  /**
   * The boot gate (see `addBootGate()`) as a whole MIME multi-part text, for the `userData` of Karpenter's `EC2NodeClass`.
   *
   * @throws an error at synth when `maxWait` is out of its range
   */
  public renderBootGate(options: BootGateOptions = {}): string {
    return new BootGate(this, this.documentName, options).render();
  }
}

function selectedImages(props: ImagePrefetcherProps): ImageSelection[] {
  const tags = props.imageTags && { include: props.imageTags };
  return [...props.images ?? [], ...(props.repositories ?? []).map(repository => ImageSelection.repository(repository, { tags }))];
}

function selectedNodes(props: ImagePrefetcherProps): NodeSelection[] {
  return [...props.nodes ?? [], ...(props.nodegroups?.length ? [NodeSelection.nodegroups(props.nodegroups)] : [])];
}
