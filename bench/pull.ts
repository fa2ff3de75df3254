/**
 * What a pull costs on one node, side by side in one run: the two lines of shell of the AWS sample this project grew from
 * (`ctr images pull`), the node program (CRI), and the node program when everything is there. `npm run bench`
 */
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import { RealDeployment } from '../testbed/deployment';
import { missingForNodes, Node } from '../testbed/engines';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

const ROUNDS = 5;
const MEGABYTES = 500;

async function main(): Promise<void> {
  const missing = missingForNodes();
  if (missing.length > 0) throw new Error(`the benchmark needs real nodes: ${missing.join('; ')}`);
  const deployment = await RealDeployment.start(prefetchedStack());
  try {
    const node = await deployment.testbed.addNode('bench', { 'eks:cluster-name': 'bench', 'eks:nodegroup-name': 'bench' }, { imageDiskMegabytes: 20_000 });
    deployment.fleet.push(node);
    const { reference } = await deployment.testbed.push({ repository: 'bench', tag: 'v1', megabytes: MEGABYTES });
    const seconds = await measure(deployment, node, reference);
    print(seconds);
  } finally {
    await deployment.stop();
  }
}

function prefetchedStack(): Stack {
  const stack = new Stack(new App(), 'Bench');
  new ImagePrefetcher(stack, 'Prefetcher', {
    cluster: eks.CfnCluster.fromClusterName(stack, 'Cluster', 'bench'),
    nodes: [NodeSelection.nodegroupNames(['bench'])],
    repositories: [new ecr.Repository(stack, 'Repository', { repositoryName: 'bench' })],
  });
  return stack;
}

async function measure(deployment: RealDeployment, node: Node, reference: string): Promise<Record<string, number[]>> {
  const { username, password } = deployment.testbed.ecr.credentials;
  const seconds: Record<string, number[]> = { 'ctr images pull': [], 'node program': [], 'node program, all there': [] };
  for (let round = 0; round < ROUNDS; round++) {
    // In turns, so that what else this machine does falls on all alike.
    seconds['ctr images pull'].push(await timed(() => ok(node, ['ctr', '-n', 'k8s.io', 'images', 'pull', '--hosts-dir', '/etc/containerd/certs.d', '-u', `${username}:${password}`, reference])));
    await forget(node, reference);
    seconds['node program'].push(await timed(() => reconcile(deployment, node)));
    seconds['node program, all there'].push(await timed(() => reconcile(deployment, node)));
    await forget(node, reference);
  }
  return seconds;
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const began = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - began) / 1e9;
}

/** By the CRI, which also drops the record that it keeps of the image's id: with that left, the next pull would find every layer. */
async function forget(node: Node, reference: string): Promise<void> {
  await node.cri.removeImage(reference);
  await ok(node, ['ctr', '-n', 'k8s.io', 'content', 'prune', 'references']);
}

async function ok(node: Node, argv: string[]): Promise<void> {
  const result = await node.exec(argv);
  if (result.exitCode !== 0) throw new Error(`${argv[0]} failed: ${result.stderr}`);
}

async function reconcile(deployment: RealDeployment, node: Node): Promise<void> {
  const { associations } = await deployment.plane.nodeOnline(node);
  const failed = associations.flatMap(({ invocations }) => invocations).find(({ status }) => status !== 'Success');
  if (failed) throw new Error(`the node program failed: ${failed.output?.stdout}`);
}

function print(seconds: Record<string, number[]>): void {
  const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const reference = median(seconds['ctr images pull']);
  process.stdout.write(`image of ${MEGABYTES} MB, median (least to most) of ${ROUNDS} rounds in turns\n`);
  for (const [name, values] of Object.entries(seconds)) {
    const range = `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
    process.stdout.write(`${name.padEnd(26)} ${median(values).toFixed(2)} s (${range}), ${(median(values) / reference).toFixed(2)} of ctr\n`);
  }
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
