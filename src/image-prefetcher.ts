import { Duration, Names, RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { MultipartUserData } from 'aws-cdk-lib/aws-ec2';
import type * as events from 'aws-cdk-lib/aws-events';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { AlarmOptions } from './alarm-options';
import { Alarms } from './alarms';
import { countExports, countPolicies, countRules } from './app-limits';
import { BootGate } from './boot-gate';
import type { BootGateOptions } from './boot-gate-options';
import { CommandDocument } from './command-document';
import { createDashboard } from './dashboard';
import type { DashboardOptions } from './dashboard-options';
import { ImagePrefetcherGrants } from './image-prefetcher-grants';
import type { ImagePrefetcherProps } from './image-prefetcher-props';
import { ImageSelection } from './image-selection';
import { NodeLimit } from './node-limit';
import { NodePermissions } from './node-permissions';
import { NodeSelection } from './node-selection';
import { toNodeTargets } from './node-targets';
import { Push } from './push';
import { Reconcile } from './reconcile';
import { ReportMetrics, reportMetric } from './report-metrics';
import { ReportQueries } from './report-queries';
import { pushFinished, ruleOn, runFailed } from './run-events';
import { Runbooks } from './runbooks';
import { refuseMutualStacks } from './stack-order';
import { ifGiven, shown, validateKind, validateOptions } from './validate-kind';
import { validateTexts } from './validate-list';
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
  /** Where every run reports: JSON lines, in a stream for each instance. */
  public readonly logGroup: logs.ILogGroup;

  /** The name that this prefetcher has in reports, on the nodes, and as dimension of its metrics. */
  public readonly owner: string;

  /** Name of the SSM Command document with the node program. */
  public readonly documentName: string;

  /** Names of the SSM Automation runbooks that bring one image to the nodes: one for each set of nodes, usually one. A push starts all of them. */
  public readonly runbookNames: string[];

  /** The role by which the runbooks send the command. */
  public readonly automationRole: iam.IRole;

  /** The EventBridge rules for pushes; none without `prefetchOnPush`. */
  public readonly rules: events.Rule[];

  /**
   * The role by which the rules start the runbooks.
   *
   * @default - none, where there are no rules
   */
  public readonly eventsRole?: iam.IRole;

  /**
   * The queue for push events that started no runbook.
   *
   * @default - none, where there are no rules
   */
  public readonly deadLetterQueue?: sqs.IQueue;

  /** Ids of the State Manager associations; none without `reconcile`. */
  public readonly associationIds: string[];

  /**
   * The role by which State Manager dispatches the associations.
   *
   * @default - none, without `reconcile`
   */
  public readonly dispatchRole?: iam.IRole;

  /** What others may be allowed to do with this prefetcher. */
  public readonly grants: ImagePrefetcherGrants;

  /** How often each node reports at least. */
  private readonly reconcileEvery?: Duration;

  constructor(scope: Construct, id: string, props: ImagePrefetcherProps) {
    super(scope, id);
    validateProps(this, props);

    // Which images, on which nodes.
    const images = selectedImages(props).flatMap(image => image._bind(this));
    const selections = selectedNodes(props).map(nodes => nodes._bind(this, props.cluster));
    const targets = toNodeTargets(selections.flatMap(selection => selection.tagSets));

    // Where it reports, the node program, and what that is told.
    this.logGroup = logGroupOf(this, props);
    this.owner = Names.uniqueResourceName(this, { maxLength: 64, separator: '-' });
    const document = new CommandDocument(this, 'Document', {
      owner: this.owner,
      images: renderWantedImages(images),
      parallelPulls: props.parallelPulls ?? 2,
      pinImages: props.pinImages ?? true,
      maxDiskUsage: props.maxDiskUsage ?? 75,
      timeout: props.timeout ?? Duration.hours(1),
      logGroupName: this.logGroup.logGroupName,
    });
    this.documentName = document.documentName;

    // What the nodes may do.
    const permissions = new NodePermissions(this, 'Nodes', {
      images,
      nodes: selections.flatMap(selection => selection.nodes),
      logGroupName: this.logGroup.logGroupName,
    });

    // What brings one image to the nodes, and the pushes that start it.
    const runbooks = new Runbooks(this, 'Runbooks', {
      documentName: document.documentName,
      targets,
      maxConcurrency: props.maxConcurrency ?? NodeLimit.nodes(500),
      maxErrors: props.maxErrors ?? NodeLimit.percent(100),
    });
    this.runbookNames = runbooks.all.map(({ runbookName }) => runbookName);
    this.automationRole = runbooks.role;
    const push = props.prefetchOnPush ?? true
      ? new Push(this, 'Push', { images, runbooks, deadLetterQueue: props.deadLetterQueue, eventBus: props.eventBus })
      : undefined;
    this.rules = push?.rules ?? [];
    this.eventsRole = push?.role;
    this.deadLetterQueue = push?.deadLetterQueue;

    // What brings joining nodes, and all of them again and again, to the whole list.
    this.reconcileEvery = props.reconcile ?? true ? props.reconcileEvery ?? Duration.minutes(30) : undefined;
    const reconcile = this.reconcileEvery && new Reconcile(this, 'Reconcile', { document, targets, every: this.reconcileEvery });
    this.associationIds = reconcile?.associationIds ?? [];
    this.dispatchRole = reconcile?.role;
    if (!reconcile && this.rules.length === 0) {
      throw new Error(`'${this.node.path}' must run at some moment, got reconcile false and no image whose push raises an event here: leave reconcile on, or give eventBus`);
    }

    // What shows how it goes.
    new ReportMetrics(this, 'Metrics', this.logGroup, this.owner);
    new ReportQueries(this, 'Queries', this.logGroup.logGroupName, this.owner);
    this.grants = ImagePrefetcherGrants._of(this, runbooks);

    // What AWS limits for an app as a whole.
    countRules(this);
    countPolicies(this, permissions.roles);
    countExports(this, images);
    refuseMutualStacks(this, props.cluster, this.documentName);
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

  /**
   * A metric of this prefetcher, over all of its nodes: `Pulls`, `PulledBytes`, `PullSeconds`, `PushToCachedSeconds`, `Failures`, `Refusals`,
   * `GateWaitSeconds`, `GateTimeouts` or `Reports`; each has a method of its own.
   *
   * @throws an error at synth for another name
   */
  public metric(metricName: string, options: cloudwatch.MetricOptions = {}): cloudwatch.Metric {
    return reportMetric(this.owner, metricName, options).attachTo(this);
  }

  /**
   * Images that nodes pulled.
   *
   * @default sum over 5 minutes
   */
  public metricPulls(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('Pulls', options);
  }

  /**
   * Bytes of the images that nodes pulled, as they are in the registry (compressed).
   *
   * @default sum over 5 minutes
   */
  public metricPulledBytes(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('PulledBytes', options);
  }

  /**
   * Seconds that a node took to pull one image.
   *
   * @default average over 5 minutes
   */
  public metricPullSeconds(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('PullSeconds', options);
  }

  /**
   * Seconds from the push of an image until a node had it.
   *
   * @default maximum over 5 minutes: the slowest node
   */
  public metricPushToCachedSeconds(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('PushToCachedSeconds', options);
  }

  /**
   * Images that nodes could not bring, after several tries, and runs that ended in an error.
   *
   * @default sum over 5 minutes
   */
  public metricFailures(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('Failures', options);
  }

  /**
   * Images that had no room on a node's disk.
   *
   * @default sum over 5 minutes
   */
  public metricRefusals(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('Refusals', options);
  }

  /**
   * Seconds that kubelets of new nodes waited at the boot gate.
   *
   * @default maximum over 5 minutes
   */
  public metricGateWaitSeconds(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('GateWaitSeconds', options);
  }

  /**
   * Boot gates that let a node join before its images were there, because their time was over.
   *
   * @default sum over 5 minutes
   */
  public metricGateTimeouts(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('GateTimeouts', options);
  }

  /**
   * Runs that reported: each node once in `reconcileEvery` at least.
   *
   * @default sum over 5 minutes
   */
  public metricReports(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.metric('Reports', options);
  }

  /**
   * Alarms on images that could not be brought or had no room on a disk, on boot gates whose time was over, on pushes that never became
   * a run, and on nodes that stopped reporting (where `reconcileEvery` is 12 hours or less).
   *
   * @throws an error at synth when `minNodes` is out of its range, and at the second call
   */
  public addAlarms(options: AlarmOptions = {}): cloudwatch.Alarm[] {
    validateOptions(`the alarms of '${this.node.path}'`, options);
    const { minNodes, topic } = options;
    validateKind(`topic of the alarms of '${this.node.path}'`, 'a topic', 'topicRef', ifGiven(topic), 'one that is known by its ARN is sns.Topic.fromTopicArn(scope, id, arn)');
    if (minNodes !== undefined && (!Number.isInteger(minNodes) || minNodes < 0 || minNodes > 1_000_000)) {
      throw new Error(`minNodes of the alarms of '${this.node.path}' must be a whole number from 0 to 1000000, got ${shown(minNodes)}`);
    }
    return new Alarms(this, 'Alarms', {
      ...options,
      owner: this.owner,
      metric: (name, period) => this.metric(name, { period }),
      atOnce: Duration.minutes(5),
      deadLetterQueue: this.deadLetterQueue,
      reconcileEvery: this.reconcileEvery,
    }).all;
  }

  /**
   * A CloudWatch dashboard (3 USD a month): is all well, how long nodes wait, why images were not brought, which node has which image.
   *
   * @throws an error at synth at the second call
   */
  public addDashboard(options: DashboardOptions = {}): cloudwatch.Dashboard {
    validateOptions(`the dashboard of '${this.node.path}'`, options);
    validateTexts(`dashboardName of the dashboard of '${this.node.path}'`, ifGiven(options.dashboardName));
    return createDashboard(this, 'Dashboard', {
      ...options,
      title: `Images on nodes: ${this.node.path}`,
      owner: this.owner,
      logGroupName: this.logGroup.logGroupName,
      metric: (name, metricOptions) => this.metric(name, metricOptions),
    });
  }

  /**
   * An EventBridge rule for runs that ended badly on a node, those of pushes and those of the association. The event names the
   * instance; the log group has the reason.
   */
  public onRunFailed(id: string, options: events.OnEventOptions = {}): events.Rule {
    return ruleOn(this, id, runFailed(this.documentName), options);
  }

  /** An EventBridge rule for pushes that went to all nodes, or as far as they got: `detail.Status` says how it ended. */
  public onPushFinished(id: string, options: events.OnEventOptions = {}): events.Rule {
    return ruleOn(this, id, pushFinished(this.runbookNames), options);
  }
}

function logGroupOf(scope: Construct, { logGroup: given }: ImagePrefetcherProps): logs.ILogGroup {
  if (!given) {
    return new logs.LogGroup(scope, 'LogGroup', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
  }
  return 'addStream' in given ? given as logs.ILogGroup : logs.LogGroup.fromLogGroupName(scope, 'LogGroup', given.logGroupRef.logGroupName);
}

function selectedImages(props: ImagePrefetcherProps): ImageSelection[] {
  const tags = props.imageTags && { include: props.imageTags };
  return [...props.images ?? [], ...(props.repositories ?? []).map(repository => ImageSelection.repository(repository, { tags }))];
}

function selectedNodes(props: ImagePrefetcherProps): NodeSelection[] {
  return [...props.nodes ?? [], ...(props.nodegroups?.length ? [NodeSelection.nodegroups(props.nodegroups)] : [])];
}
