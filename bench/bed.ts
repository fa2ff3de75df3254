import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import type { Invocation } from '../testbed/aws';
import { Deployment } from '../testbed/deployment';
import type { GateNode, Node, NodeOptions, PushedImage } from '../testbed/engines';
import { EventRuler, Testbed } from '../testbed/engines';
import { runOk } from '../testbed/engines/processes';
import type { NodeReport } from '../testbed/report';
import { parseReport, reportOf } from '../testbed/report';
import type { ImagePrefetcherProps } from 'cdk-eks-image-prefetcher';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export interface Sizes {
  readonly rounds: number;
  /** The large image. */
  readonly megabytes: number;
  readonly layers: number;
  /** Each of the eight small ones. */
  readonly smallMegabytes: number;
}

export const FULL: Sizes = { rounds: 5, megabytes: 1000, layers: 10, smallMegabytes: 100 };
export const QUICK: Sizes = { rounds: 2, megabytes: 60, layers: 10, smallMegabytes: 8 };

const IMAGE_DISK_MEGABYTES = 20_000;
const TAGS = { 'eks:cluster-name': 'bench', 'eks:nodegroup-name': 'bench' };

export interface DeployOptions {
  readonly repositoryName?: string;
  /** What is prefetched, and how. @default - the newest image of the one repository */
  props?(stack: Stack): Partial<ImagePrefetcherProps>;
  /** What else is in the stack. */
  then?(stack: Stack, prefetcher: ImagePrefetcher): void;
}

/** What the rows share: registry, ECR's API, event matcher. Nodes and stacks are each row's own. */
export class Bed {
  static async start(sizes: Sizes): Promise<Bed> {
    return new Bed(sizes, await Testbed.start());
  }

  private readonly ruler: EventRuler;
  private readonly repositories = new Set<string>();
  private nodes = 0;

  private constructor(readonly sizes: Sizes, readonly testbed: Testbed) {
    this.ruler = testbed.workspace.track(new EventRuler());
  }

  stop(): Promise<void> {
    return this.testbed.stop();
  }

  /** Deploys a stack with a prefetcher for the nodes of a node group `bench`; without a word on images, for one repository. */
  async deploy(name: string, options: DeployOptions = {}): Promise<Deployment> {
    const stack = new Stack(new App({ analyticsReporting: false }), name);
    const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
      cluster: eks.CfnCluster.fromClusterName(stack, 'Cluster', 'bench'),
      nodes: [NodeSelection.nodegroupNames(['bench'])],
      ...options.props?.(stack) ?? { repositories: [repository(stack, options.repositoryName ?? name.toLowerCase())] },
    });
    options.then?.(stack, prefetcher);
    const deployment = new Deployment(stack, this.ruler);
    for (const { properties } of deployment.plane.template.resources('AWS::ECR::Repository')) {
      await this.createRepository(properties.RepositoryName);
    }
    await deployment.publishDocuments(this.testbed.documents);
    return deployment;
  }

  async createRepository(name: string): Promise<void> {
    if (this.repositories.has(name)) {
      return;
    }
    this.repositories.add(name);
    await this.testbed.ecr.createRepository(name);
  }

  async addNode(deployment: Deployment, options: NodeOptions = {}): Promise<Node> {
    const node = await this.testbed.addNode(`bench-${++this.nodes}`, TAGS, { imageDiskMegabytes: IMAGE_DISK_MEGABYTES, ...options });
    deployment.fleet.push(node);
    return node;
  }

  /** Boots such a node as EC2 does, by systemd and cloud-init with that user data. */
  async addGateNode(deployment: Deployment, userData: string): Promise<GateNode> {
    const node = await this.testbed.addGateNode(`bench-${++this.nodes}`, TAGS, userData, { imageDiskMegabytes: IMAGE_DISK_MEGABYTES });
    deployment.fleet.push(node);
    return node;
  }

  /** Pushes an image that shares nothing with others. */
  push(repositoryName: string, tag: string, megabytes: number, layers = this.sizes.layers): Promise<PushedImage> {
    return this.testbed.push({ repository: repositoryName, tag, megabytes, layers });
  }

  /** Pushes the large image, which is the same in every repository: one in the cache is enough. */
  pushLarge(repositoryName: string, megabytes = this.sizes.megabytes, layers = this.sizes.layers): Promise<PushedImage> {
    return this.testbed.push({ repository: repositoryName, tag: `${megabytes}mb-${layers}layers`, megabytes, layers, seed: 'bench' });
  }
}

/** The stack's ECR repository of that name. */
export function repository(stack: Stack, repositoryName: string): ecr.IRepository {
  const id = `Repository-${repositoryName}`;
  return stack.node.tryFindChild(id) as ecr.Repository ?? new ecr.Repository(stack, id, { repositoryName });
}

/** By the CRI, which also drops the record that it keeps of the image's id: with that left, the next pull would find every layer. */
export async function forget(node: Node, ...references: string[]): Promise<void> {
  for (const reference of references) {
    if (await node.imageStatus(reference)) {
      await node.cri.removeImage(reference);
    }
  }
  await ok(node, ['ctr', '-n', 'k8s.io', 'content', 'prune', 'references']);
  await settle();
}

/** What was written before must not be paid for by the next. */
export async function settle(): Promise<void> {
  await runOk(['sync']);
}

/** Runs a command in the node that must succeed. */
export async function ok(node: Node, argv: string[]): Promise<void> {
  const { exitCode, stderr, stdout } = await node.exec(argv);
  if (exitCode !== 0) {
    throw new Error(`${argv.join(' ')} failed on ${node.name}: ${stderr || stdout}`);
  }
}

/** Runs a script as the agent does; it must succeed. What it prints. */
export async function script(node: Node, commands: string, env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stderr, stdout } = await node.run(commands, env);
  if (exitCode !== 0) {
    throw new Error(`the script failed on ${node.name}: ${stderr || stdout}`);
  }
  return stdout;
}

/** A pull by crictl, and nothing else. */
export async function crictlPull(bed: Bed, node: Node, reference: string): Promise<void> {
  await node.cri.pull(reference, bed.testbed.ecr.credentials);
}

/** The node program as the association starts it on a node that comes online. */
export async function joinRun(deployment: Deployment, node: Node): Promise<NodeReport> {
  const { associations } = await deployment.plane.nodeOnline(node);
  const [invocation] = successful(associations.flatMap(association => association.invocations));
  return reportOf(invocation);
}

/** What a push has that node's agent run, worked out beforehand: what is left to measure is what the node does. */
export async function agentRun(deployment: Deployment, node: Node, pushed: PushedImage): Promise<() => Promise<NodeReport>> {
  const { commands } = await deployment.plane.explain(pushed.event);
  const planned = commands.find(command => command.node === node.name);
  if (!planned) {
    throw new Error(`the push starts nothing on ${node.name}`);
  }
  return async () => parseReport(await script(node, planned.script, planned.env));
}

/** The node program on all nodes, as a push starts it. */
export async function pushRuns(deployment: Deployment, pushed: PushedImage, onFinished: () => void = () => undefined): Promise<NodeReport[]> {
  const result = await deployment.plane.putEvent(pushed.event, {
    onProgress: ({ what }) => what === 'node-finished' && onFinished(),
  });
  const refused = result.deliveries.find(({ runbook }) => !runbook);
  if (refused) {
    throw new Error(`the push was refused: ${refused.reason}`);
  }
  return successful(result.deliveries.flatMap(({ runbook }) => runbook!.steps).flatMap(({ command }) => command?.invocations ?? [])).map(reportOf);
}

function successful(invocations: Invocation[]): Invocation[] {
  const failed = invocations.find(({ status }) => status !== 'Success');
  if (failed || invocations.length === 0) {
    throw new Error(`the node program failed on ${failed?.node ?? 'no node'}: ${failed?.reason} ${failed?.output?.stdout}${failed?.output?.stderr}`);
  }
  return invocations;
}
