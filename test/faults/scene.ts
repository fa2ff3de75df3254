import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { Duration } from 'aws-cdk-lib';
import { NameServer } from './name-server';
import { logGroupOf } from './seen';
import type { ImagePrefetcherProps } from '../../src';
import { ImagePrefetcher, NodeLimit } from '../../src';
import type { CommandOutput, CommandTarget } from '../../testbed/aws';
import type { LoggedLine } from '../../testbed/aws/metric-filters';
import type { Deployment } from '../../testbed/deployment';
import type { Node, NodeOptions, NodeProcess, PushedImage } from '../../testbed/engines';
import { FaultProxy, waitFor } from '../../testbed/engines';
import { newCluster } from '../fixture';
import type { Bed, Run } from '../nodes/real-nodes';
import { pushRun, reconcileRun, repository } from '../nodes/real-nodes';

const METADATA = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
const PLUGINS = '/etc/eks/image-credential-provider';

type Proxies = Record<'registry' | 'ecr' | 'logs' | 'metadata', FaultProxy>;
type Props = (stack: Stack) => Partial<ImagePrefetcherProps>;

/** A node that reaches everything through something that can fail. */
export class Ground {
  static async boot(bed: Bed, name: string, options: NodeOptions): Promise<Ground> {
    const { workspace, registry, moto, ecr } = bed.testbed;
    const api = { url: moto.endpoint };
    const proxies = { registry: new FaultProxy(workspace, registry), ecr: new FaultProxy(workspace, api), logs: new FaultProxy(workspace, api) };
    const names = new NameServer(workspace);
    await Promise.all([...Object.values(proxies), names].map(each => each.start()));
    const node = await bed.testbed.addNode(name, {}, {
      registries: { [ecr.registryHost]: named('registry', proxies.registry) },
      aws: { AWS_ENDPOINT_URL_ECR: named('ecr', proxies.ecr), AWS_ENDPOINT_URL_LOGS: named('logs', proxies.logs) },
      ...options,
    });
    await on(node, `rm -f /etc/resolv.conf; printf 'nameserver ${names.address}\\noptions timeout:1 attempts:2\\n' >/etc/resolv.conf`);
    // A node keeps this to itself.
    const endpoint = (node as unknown as { settings: { aws: Record<string, string> } }).settings.aws[METADATA];
    const metadata = new FaultProxy(workspace, { url: endpoint });
    await metadata.start();
    const config = node.hostPath(`${PLUGINS}/config.json`);
    fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(endpoint, metadata.url));
    return new Ground(node, { ...proxies, metadata }, names);
  }

  private constructor(readonly node: Node, readonly proxies: Proxies, readonly names: NameServer) {}

  /** Nothing fails. */
  calm(): void {
    for (const proxy of Object.values(this.proxies)) {
      proxy.fault = () => undefined;
    }
    this.names.mode = 'answers';
  }
}

/** A name instead of an address, so that it must be looked up. */
function named(name: string, { url }: FaultProxy): string {
  return url.replace('127.0.0.1', `${name}.internal`);
}

export async function on(node: Node, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await node.exec(['sh', '-ec', script]);
  if (exitCode !== 0) {
    throw new Error(`'${script}' failed on ${node.name}: ${stderr || stdout}`);
  }
  return stdout.trim();
}

/** One case: a stack of its own, whose one node is the ground's. */
export class Scene {
  static async set(bed: Bed, ground: Ground, name: string, seconds: number, props: Props = () => ({})): Promise<Scene> {
    ground.calm();
    for (const proxy of Object.values(ground.proxies)) {
      proxy.requests.length = 0;
    }
    const stack = bed.newStack();
    const cluster = newCluster(stack);
    new ImagePrefetcher(stack, 'Prefetcher', {
      cluster,
      nodegroups: [cluster.addNodegroupCapacity('Gpu')],
      repositories: [repository(stack, name)],
      timeout: Duration.seconds(seconds),
      maxConcurrency: NodeLimit.percent(100),
      ...props(stack),
    }).addAlarms();
    const deployment = await bed.deploy(stack);
    const scene = new Scene(bed, ground, name, deployment);
    deployment.fleet.push(scene.target);
    return scene;
  }

  readonly node: Node;
  readonly registry: FaultProxy;
  readonly ecr: FaultProxy;
  readonly logs: FaultProxy;
  readonly metadata: FaultProxy;
  readonly target: CommandTarget & { agent?: 'old' };
  pushed!: PushedImage;

  private constructor(readonly bed: Bed, readonly ground: Ground, readonly name: string, readonly deployment: Deployment) {
    this.node = ground.node;
    ({ registry: this.registry, ecr: this.ecr, logs: this.logs, metadata: this.metadata } = ground.proxies);
    this.target = {
      name: this.node.name,
      instanceId: this.node.instanceId,
      tags: deployment.nodegroupTags('Gpu'),
      run: (script, env, seconds): Promise<CommandOutput> => this.node.run(script, { ...env, [METADATA]: this.metadata.url }, seconds),
    };
  }

  async push(tag = 'v1', megabytes = 4): Promise<PushedImage> {
    this.pushed = await this.bed.push(this.name, tag, { megabytes });
    return this.pushed;
  }

  run(moment: 'push' | 'reconcile'): Promise<Run> {
    return moment === 'push' ? pushRun(this.deployment, this.pushed) : reconcileRun(this.deployment);
  }

  /** What the node has reported to the prefetcher's log group. */
  async log(): Promise<LoggedLine[]> {
    const events = await this.bed.testbed.logs.events(logGroupOf(this.deployment.plane.template));
    return events.map(({ stream, timestamp, message }) => ({ stream, timestamp, line: JSON.parse(message) }));
  }

  /** The node program's processes. */
  programs(): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => path.basename(argv[0] ?? '').startsWith('python3') && argv[1] === '-');
  }

  /** The processes that pull for it. */
  pulls(): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => argv[0] === 'curl' && argv.join(' ').includes('/PullImage'));
  }

  daemons(name: 'containerd' | 'kubelet'): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => path.basename(argv[0] ?? '') === name);
  }

  async untilSeen(what: () => boolean): Promise<void> {
    await waitFor(`this on ${this.node.name}: ${what}`, () => what() || undefined, 60);
  }

  /** Until containerd is in the middle of a layer. */
  async inTheMiddle(): Promise<void> {
    await waitFor('a layer to stand still', () => this.pulls().length > 0 && this.registry.stalled > 0 || undefined, 60);
  }

  on(script: string): Promise<string> {
    return on(this.node, script);
  }
}

export const isManifest = ({ path: where }: { path: string }) => where.includes('/manifests/');
export const isLayer = ({ path: where }: { path: string }) => where.includes('/blobs/');
