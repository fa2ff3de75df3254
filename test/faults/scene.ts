import type { Stack } from 'aws-cdk-lib';
import { Duration } from 'aws-cdk-lib';
import { NameServer } from './name-server';
import { NodeScene, on } from './node-scene';
import { Ways } from './ways';
import type { ImagePrefetcherProps } from '../../src';
import { ImagePrefetcher, NodeLimit } from '../../src';
import type { CommandOutput, CommandTarget } from '../../testbed/aws';
import type { Deployment } from '../../testbed/deployment';
import type { FaultProxy, Node, NodeOptions, PushedImage } from '../../testbed/engines';
import { newCluster } from '../fixture';
import type { Bed, Run } from '../nodes/real-nodes';
import { pushRun, reconcileRun, repository } from '../nodes/real-nodes';

type Props = (stack: Stack) => Partial<ImagePrefetcherProps>;

/** A node that reaches everything through something that can fail. */
export class Ground {
  static async boot(bed: Bed, name: string, options: NodeOptions): Promise<Ground> {
    const { workspace, ecr } = bed.testbed;
    const [ways, names] = [await Ways.open(bed.testbed), new NameServer(workspace)];
    await names.start();
    // A name instead of an address, so that it must be looked up.
    const address: Parameters<Ways['options']>[1] = of => ways[of].url.replace('127.0.0.1', `${of}.internal`);
    const node = await bed.testbed.addNode(name, {}, { ...ways.options(ecr.registryHost, address), ...options });
    await on(node, `rm -f /etc/resolv.conf; printf 'nameserver ${names.address}\\noptions timeout:1 attempts:2\\n' >/etc/resolv.conf`);
    return new Ground(node, ways, names);
  }

  private constructor(readonly node: Node, readonly ways: Ways, readonly names: NameServer) {}

  /** Nothing fails. */
  calm(): void {
    this.ways.calm();
    this.names.mode = 'answers';
  }
}

/** One case: a stack of its own, whose one node is the ground's. */
export class Scene extends NodeScene {
  static async set(bed: Bed, ground: Ground, name: string, seconds: number, props: Props = () => ({})): Promise<Scene> {
    ground.calm();
    for (const proxy of ground.ways.all) {
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
  readonly ways: Ways;
  readonly registry: FaultProxy;
  readonly ecr: FaultProxy;
  readonly logs: FaultProxy;
  readonly metadata: FaultProxy;
  readonly target: CommandTarget & { agent?: 'old' };
  pushed!: PushedImage;

  private constructor(readonly bed: Bed, readonly ground: Ground, readonly name: string, readonly deployment: Deployment) {
    super();
    ({ node: this.node, ways: this.ways } = ground);
    ({ registry: this.registry, ecr: this.ecr, logs: this.logs, metadata: this.metadata } = ground.ways);
    this.target = {
      name: this.node.name,
      instanceId: this.node.instanceId,
      tags: deployment.nodegroupTags('Gpu'),
      run: (script, env, seconds): Promise<CommandOutput> => this.node.run(script, env, seconds),
    };
  }

  async push(tag = 'v1', megabytes = 4): Promise<PushedImage> {
    this.pushed = await this.bed.push(this.name, tag, { megabytes });
    return this.pushed;
  }

  run(moment: 'push' | 'reconcile'): Promise<Run> {
    return moment === 'push' ? pushRun(this.deployment, this.pushed) : reconcileRun(this.deployment);
  }
}
