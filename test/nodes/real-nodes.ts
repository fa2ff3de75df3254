import type { Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import type { ImagePrefetcherProps } from '../../src';
import { ImagePrefetcher, ImageSelection, NodeLimit } from '../../src';
import type { EventResult, Invocation, ReconcileResult } from '../../testbed/aws';
import { Deployment } from '../../testbed/deployment';
import type { GateNode, Node, NodeOptions, PushedImage, PushProps } from '../../testbed/engines';
import { canMatchEvents, EventRuler, missingForNodes, Testbed } from '../../testbed/engines';
import type { ImageLine, NodeReport } from '../../testbed/report';
import { reportOf } from '../../testbed/report';
import { newCluster, newStack } from '../fixture';

// The CDK's own check of templates takes seconds to load; cfn-lint checks them in test/limits.
process.env.CDK_VALIDATION = 'false';

/**
 * Tests on real nodes, which share a registry and an ECR API. Where none can run, they are skipped and the reasons printed.
 *
 * @param alsoMissing what is not there of what these tests need beside
 */
export function onRealNodes(name: string, tests: (bed: Bed) => void, alsoMissing: string[] = []): void {
  const missing = [...missingForNodes(), ...(canMatchEvents() ? [] : ['Java and AWS\'s event-ruler, which match events, are not there']), ...alsoMissing];
  // Jest swallows what the console says of a file whose tests are all skipped.
  if (missing.length > 0) {
    process.stderr.write(`not tested on real nodes: ${name}, because ${missing.join('; ')}\n`);
  }
  // Skipped only where this machine cannot run them, and with the reasons above.
  (missing.length > 0 ? describe.skip : describe)(name, () => {
    const bed = new Bed();
    beforeAll(() => bed.start(), 120_000);
    afterAll(() => bed.stop(), 120_000);
    tests(bed);
  });
}

/** What the tests of one file share. Each test deploys a stack of its own, with repositories and nodes of its own. */
export class Bed {
  testbed!: Testbed;
  private ruler!: EventRuler;
  private readonly repositories = new Set<string>();
  private nodes = 0;
  private stacks = 0;

  async start(): Promise<void> {
    this.testbed = await Testbed.start();
    this.ruler = this.testbed.workspace.track(new EventRuler());
  }

  async stop(): Promise<void> {
    // A start that failed has cleaned up itself.
    // Side by side; the testbed by itself stops one after the other.
    await Promise.all(this.testbed?.nodes.map(node => node.stop()) ?? []);
    await this.testbed?.stop();
  }

  /** An empty stack; with the id of an earlier one, its next version. */
  newStack(id = `Stack${++this.stacks}`): Stack {
    return newStack(id);
  }

  /** Deploys a stack with one cluster, its node group Gpu, and one prefetcher for it. */
  deployPrefetcher(props: (stack: Stack) => Partial<ImagePrefetcherProps>, before?: Deployment): Promise<Deployment> {
    const stack = this.newStack(before?.plane.template.environment.stackName);
    const cluster = newCluster(stack);
    new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [cluster.addNodegroupCapacity('Gpu')], maxConcurrency: NodeLimit.percent(100), ...props(stack) });
    return this.deploy(stack, before);
  }

  /** Synthesises and deploys a stack. Given what it was before, that one's nodes live on. */
  async deploy(stack: Stack, before?: Deployment): Promise<Deployment> {
    const deployment = new Deployment(stack, this.ruler);
    for (const { properties } of deployment.plane.template.resources('AWS::ECR::Repository')) {
      await this.createRepository(properties.RepositoryName);
    }
    await deployment.createLogGroups(this.testbed.logs);
    deployment.fleet.push(...before?.fleet ?? []);
    return deployment;
  }

  async createRepository(name: string): Promise<void> {
    if (this.repositories.has(name)) {
      return;
    }
    this.repositories.add(name);
    await this.testbed.ecr.createRepository(name);
  }

  /** Boots a node of the node group whose logical id holds `part`. */
  async addNode(deployment: Deployment, part = 'Gpu', options: NodeOptions = {}): Promise<Node> {
    const node = await this.testbed.addNode(`node-${++this.nodes}`, deployment.nodegroupTags(part), { imageDiskMegabytes: 20_000, ...options });
    deployment.fleet.push(node);
    return node;
  }

  /** Boots such a node as EC2 does, with the user data of its node group's launch template. */
  async addGateNode(deployment: Deployment, part = 'Gpu', options: NodeOptions = {}): Promise<GateNode> {
    const node = await this.testbed.addGateNode(`node-${++this.nodes}`, deployment.nodegroupTags(part), deployment.userData(part), options);
    deployment.fleet.push(node);
    return node;
  }

  /** Pushes a small image. Another seed makes another image of the same tag. */
  push(repositoryName: string, tag: string, options: Partial<PushProps> = {}): Promise<PushedImage> {
    return this.testbed.push({ repository: repositoryName, tag, megabytes: 1, ...options });
  }
}

/** The stack's ECR repository of that name. */
export function repository(stack: Stack, name: string): ecr.IRepository {
  const id = `Repository-${name}`;
  return stack.node.tryFindChild(id) as ecr.Repository ?? new ecr.Repository(stack, id, { repositoryName: name });
}

/** The newest images of a repository. */
export function newest(stack: Stack, name: string, keep = 1): ImageSelection {
  return ImageSelection.repository(repository(stack, name), { keep });
}

/** A run of the node program. */
export interface Run extends NodeReport {
  readonly node: string;
  readonly status: Invocation['status'];
  readonly stdout: string;
  readonly stderr: string;
  /** `outcome` by image. */
  readonly outcomes: Record<string, string>;
  /** The line about an image. */
  line(reference: string): ImageLine | undefined;
}

function toRun(invocation: Invocation): Run {
  const report = reportOf(invocation);
  return {
    ...report,
    node: invocation.node,
    status: invocation.status,
    stdout: invocation.output?.stdout ?? '',
    stderr: invocation.output?.stderr ?? '',
    line: reference => report.images.find(({ image }) => image === reference),
    outcomes: Object.fromEntries(report.images.map(({ image, outcome }) => [image, outcome])),
  };
}

/** What ran on the nodes because of an event. */
export function runsOfEvent({ deliveries }: EventResult): Run[] {
  return deliveries.flatMap(({ runbook }) => runbook?.steps ?? []).flatMap(({ command }) => command?.invocations ?? []).map(toRun);
}

/** What ran on the nodes because of the associations. */
export function runsOfReconcile({ associations }: ReconcileResult): Run[] {
  return associations.flatMap(({ invocations }) => invocations).map(toRun);
}

/** The one run of an event on the one selected node. */
export async function pushRun(deployment: Deployment, pushed: PushedImage): Promise<Run> {
  return only(runsOfEvent(await deployment.plane.putEvent(pushed.event)));
}

/** The one run of a reconcile with one association and one node. */
export async function reconcileRun(deployment: Deployment): Promise<Run> {
  return only(runsOfReconcile(await deployment.plane.reconcile()));
}

export function only(runs: Run[]): Run {
  if (runs.length !== 1) {
    throw new Error(`expected one run, got ${runs.length}: ${JSON.stringify(runs).slice(0, 1000)}`);
  }
  return runs[0];
}
