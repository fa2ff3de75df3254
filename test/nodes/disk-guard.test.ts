import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { compressibleImage } from './compressible-image';
import { deriveImage } from './derived-image';
import { newest, onRealNodes, pushRun, reconcileRun, repository } from './real-nodes';
import type { Node } from '../../testbed/engines';
import { FaultProxy, pushImage, runOk, waitFor } from '../../testbed/engines';

jest.setTimeout(120_000);

const MEGABYTE = 1024 * 1024;
const DISK = '/var/lib/containerd';
const FILLER = `${DISK}/filler`;

/** Percent of the node's image file system in use. */
function usage(node: Node): number {
  const { blocks, bavail } = fs.statfsSync(node.hostPath(DISK));
  return (blocks - bavail) * 100 / blocks;
}

function usedMegabytes(node: Node): number {
  const { blocks, bavail, bsize } = fs.statfsSync(node.hostPath(DISK));
  return (blocks - bavail) * bsize / MEGABYTE;
}

async function fill(node: Node, megabytes: number): Promise<void> {
  await runOk(['fallocate', '-l', `${megabytes}M`, node.hostPath(FILLER)]);
}

/** The fullest the disk was while something ran. */
async function peakWhile<T>(node: Node, work: Promise<T>): Promise<{ peak: number; result: T }> {
  let peak = usage(node);
  const timer = setInterval(() => { peak = Math.max(peak, usage(node)); }, 5);
  try {
    const result = await work;
    return { peak: Math.max(peak, usage(node)), result };
  } finally {
    clearInterval(timer);
  }
}

/** What containerd holds: blobs, blobs on their way, and snapshots. */
async function contents(node: Node): Promise<Record<string, string[]>> {
  const list = async (...args: string[]) => (await runIn(node, ...args)).split('\n').slice(1).map(line => line.split(/\s+/)[0]).filter(Boolean).sort();
  return {
    blobs: await list('content', 'ls'),
    active: await list('content', 'active'),
    snapshots: await list('snapshots', 'ls'),
    ingests: fs.readdirSync(node.hostPath(`${DISK}/io.containerd.content.v1.content/ingest`)),
  };
}

async function runIn(node: Node, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await node.exec(['ctr', '--namespace', 'k8s.io', ...args]);
  if (exitCode !== 0) {
    throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
  }
  return stdout;
}

onRealNodes('the disk guard', bed => {
  test('refuses an image that would fill the disk past the threshold, with the figures, and pulls it when there is room', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: ['large', 'small'].map(name => repository(stack, name)) }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600 });
    const [large, small] = [await bed.push('large', 'v1', { megabytes: 60 }), await bed.push('small', 'v1')];
    await fill(node, 300);

    const { peak, result } = await peakWhile(node, pushRun(deployment, large));
    expect(result).toMatchObject({ status: 'Failed', outcomes: { [large.reference]: 'refused' }, summary: { refused: 1, failed: 0 } });
    expect(result.line(large.reference)!.reason).toMatch(/the disk is \d+\.\d% full of 0\.\d GiB, .*MaxDiskUsage is 75%/);
    expect(peak).toBeLessThan(75);

    const reconciled = await reconcileRun(deployment);
    expect(reconciled).toMatchObject({ outcomes: { [large.reference]: 'refused', [small.reference]: 'pulled' }, summary: { refused: 1, failed: 0, pulled: 1 } });

    fs.rmSync(node.hostPath(FILLER));
    const emptied = await peakWhile(node, reconcileRun(deployment));
    expect(emptied.result).toMatchObject({ status: 'Success', outcomes: { [large.reference]: 'pulled', [small.reference]: 'present' } });
    expect(emptied.peak).toBeLessThan(75);
  });

  test('lets a rebuild in that adds little to a large image that is there', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'rebuilt')] }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600 });
    const large = await bed.push('rebuilt', 'v1', { megabytes: 120 });
    expect((await reconcileRun(deployment)).outcomes).toEqual({ [large.reference]: 'pulled' });

    const image = await deriveImage(bed.testbed.workspace.makeFolder('rebuilt'), large.image, { file: { name: 'rebuilt', data: crypto.randomBytes(10_240) } });
    await pushImage(image, bed.testbed.registry, 'rebuilt', 'v2');
    await bed.testbed.ecr.putImage({ repository: 'rebuilt', tag: 'v2', ...image });
    const { peak, result } = await peakWhile(node, reconcileRun(deployment));
    expect(result).toMatchObject({ status: 'Success', outcomes: { [large.reference.replace(/v1$/, 'v2')]: 'pulled' } });
    expect(peak).toBeLessThan(75);
  });

  test('keeps the old image, pinned, while the newest is refused', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'refused')] }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600 });
    const old = await bed.push('refused', 'v1');
    await reconcileRun(deployment);
    await fill(node, 300);
    const fresh = await bed.push('refused', 'v2', { megabytes: 60 });
    for (let run = 0; run < 3; run++) {
      expect(await reconcileRun(deployment)).toMatchObject({ outcomes: { [fresh.reference]: 'refused' }, summary: { unpinned: 0, removed: 0 } });
    }
    expect(await node.imageStatus(old.reference)).toMatchObject({ pinned: true });
  });

  test('stays below the threshold of the kubelet where that is lower, and says so', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'lower')] }));
    const kubeletConfig = { imageGCHighThresholdPercent: 40, imageGCLowThresholdPercent: 30 };
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600, kubeletConfig });
    const pushed = await bed.push('lower', 'v1', { megabytes: 120 });
    const { peak, result } = await peakWhile(node, reconcileRun(deployment));
    expect(result.outcomes).toEqual({ [pushed.reference]: 'refused' });
    expect(result.line(pushed.reference)!.reason).toContain('the kubelet deletes images from 40% on (imageGCHighThresholdPercent)');
    expect(peak).toBeLessThan(40);
  });

  test('gives room to the first of the list', async () => {
    const names = ['zeta', 'alpha', 'beta'];
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: names.map(name => repository(stack, name)), parallelPulls: 3 }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600 });
    const [zeta, alpha, beta] = [await bed.push('zeta', 'v1', { megabytes: 60 }), await bed.push('alpha', 'v1', { megabytes: 60 }), await bed.push('beta', 'v1')];
    await fill(node, 270);

    const { peak, result } = await peakWhile(node, reconcileRun(deployment));
    expect(result.outcomes).toEqual({ [zeta.reference]: 'pulled', [alpha.reference]: 'refused', [beta.reference]: 'pulled' });
    expect(peak).toBeLessThan(75);
  });

  test('takes the threshold from maxDiskUsage', async () => {
    const version = (maxDiskUsage: number, before?: Awaited<ReturnType<typeof bed.deployPrefetcher>>) =>
      bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'threshold')], maxDiskUsage }), before);
    const low = await version(5);
    const node = await bed.addNode(low, 'Gpu', { imageDiskMegabytes: 600 });
    const pushed = await bed.push('threshold', 'v1', { megabytes: 20 });
    expect((await reconcileRun(low)).outcomes).toEqual({ [pushed.reference]: 'refused' });
    expect((await reconcileRun(await version(84, low))).outcomes).toEqual({ [pushed.reference]: 'pulled' });
    expect(usage(node)).toBeGreaterThan(5);
  });

  test('stops a pull when the disk fills up meanwhile, and leaves nothing of it', async () => {
    const proxy = new FaultProxy(bed.testbed.workspace, bed.testbed.registry);
    await proxy.start();
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'meanwhile')] }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600, registries: { [bed.testbed.ecr.registryHost]: proxy.url } });
    const pushed = await bed.push('meanwhile', 'v1', { megabytes: 60 });
    const layers = (JSON.parse(pushed.image.manifest) as { layers: { digest: string }[] }).layers;
    const last = layers[layers.length - 1].digest;
    proxy.fault = ({ path }) => path.includes(last) ? { kind: 'stall' } : undefined;
    const before = { contents: await contents(node), used: usedMegabytes(node) };

    const run = pushRun(deployment, pushed);
    await waitFor('the other layers to arrive', () => usedMegabytes(node) > before.used + 40 || undefined);
    await fill(node, 440);
    const { outcomes, images } = await run;
    expect(outcomes).toEqual({ [pushed.reference]: 'refused' });
    expect(images[0].reason).toMatch(/the disk is \d+\.\d% full/);

    fs.rmSync(node.hostPath(FILLER));
    expect(await contents(node)).toEqual(before.contents);
    expect(Math.abs(usedMegabytes(node) - before.used)).toBeLessThan(3);

    proxy.fault = () => undefined;
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('stops the pull of an image that turns out larger than its compressed size lets expect', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'zeros'), repository(stack, 'after')] }));
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 2000 });
    const image = await compressibleImage(bed.testbed.workspace.makeFolder('zeros'), 1800);
    await pushImage(image, bed.testbed.registry, 'zeros', 'v1');
    await bed.testbed.ecr.putImage({ repository: 'zeros', tag: 'v1', ...image });
    const after = await bed.push('after', 'v1');
    const before = usedMegabytes(node);

    const { peak, result } = await peakWhile(node, reconcileRun(deployment));
    expect(result.outcomes).toEqual({ [`${bed.testbed.ecr.registryHost}/zeros:v1`]: 'refused', [after.reference]: 'pulled' });
    expect(peak).toBeLessThan(75);
    expect(peak).toBeGreaterThan(70);
    expect(await contents(node)).toMatchObject({ active: [], ingests: [] });
    expect(usedMegabytes(node) - before).toBeLessThan(10);
  });
});
