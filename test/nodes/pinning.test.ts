import { newest, onRealNodes, only, pushRun, reconcileRun, repository, runsOfReconcile } from './real-nodes';
import { ImagePrefetcher, ImageSelection } from '../../src';
import type { Node } from '../../testbed/engines';
import { PAUSE_IMAGE } from '../../testbed/node/node-files';
import { newCluster } from '../fixture';

jest.setTimeout(120_000);

const PIN = 'io.cri-containerd.pinned';

onRealNodes('a pin', bed => {
  test('is on what a push and a reconcile brought, by tag and by digest, and says who pinned it', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'pinned')], images: [ImageSelection.tag(repository(stack, 'pinned-fixed'), 'v1')] }));
    const node = await bed.addNode(deployment);
    const [byPush, byReconcile] = [await bed.push('pinned', 'v1'), await bed.push('pinned-fixed', 'v1')];
    expect((await pushRun(deployment, byPush)).status).toBe('Success');
    const { status, summary } = await reconcileRun(deployment);
    expect(status).toBe('Success');

    for (const { reference, digestReference } of [byPush, byReconcile]) {
      expect(await node.imageStatus(reference)).toMatchObject({ pinned: true });
      expect(await node.imageStatus(digestReference)).toMatchObject({ pinned: true });
      for (const name of [reference, digestReference]) {
        expect(await labels(node, name)).toMatchObject({ [PIN]: 'pinned', [`cdk-eks-image-prefetcher/owner.${summary.owner}`]: expect.stringContaining('pinned') });
      }
    }
  });

  test('is also on a wanted image that the kubelet had pulled', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'by-kubelet')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('by-kubelet', 'v1');
    await node.startPod(pushed.reference, { pull: true });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: false });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'present' } });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
  });

  test('survives a restart of containerd', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'survives')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('survives', 'v1');
    await pushRun(deployment, pushed);
    await node.stopContainerd();
    await node.startContainerd();
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
  });

  test('survives a pod that pulls its image anew (imagePullPolicy Always), and still goes when it must', async () => {
    const before = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'always')] }));
    const node = await bed.addNode(before);
    const pushed = await bed.push('always', 'v1');
    await pushRun(before, pushed);
    await node.cri.pull(pushed.reference, bed.testbed.ecr.credentials);
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });

    expect(await reconcileRun(before)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'present' } });
    expect(await labels(node, pushed.reference)).toMatchObject({ [PIN]: 'pinned' });

    await node.cri.pull(pushed.reference, bed.testbed.ecr.credentials);
    await bed.push('always', 'v2');
    expect(await reconcileRun(before)).toMatchObject({ status: 'Success', summary: { pulled: 1, unpinned: 1, removed: 0 } });
    // The tag is the kubelet's now, and so is what becomes of the image.
    expect(await reconcileRun(before)).toMatchObject({ status: 'Success', summary: { present: 1, removed: 0 } });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: false });
  });

  test('goes when the image is no longer wanted, and the image stays for the kubelet to judge when it was named by hand', async () => {
    const before = await bed.deployPrefetcher(stack => ({ images: ['v1', 'v2'].map(tag => ImageSelection.tag(repository(stack, 'by-hand'), tag)) }));
    const node = await bed.addNode(before);
    const [v1, v2] = [await bed.push('by-hand', 'v1'), await bed.push('by-hand', 'v2')];
    expect(await reconcileRun(before)).toMatchObject({ status: 'Success', summary: { pulled: 2 } });

    const after = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'by-hand'), 'v2')] }), before);
    expect(await reconcileRun(after)).toMatchObject({ status: 'Success', outcomes: { [v2.reference]: 'present', [v1.reference]: 'unpinned' } });
    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: false });
    expect(await node.imageStatus(v2.reference)).toMatchObject({ pinned: true });
    expect(await reconcileRun(after)).toMatchObject({ status: 'Success', outcomes: { [v2.reference]: 'present' }, summary: { unpinned: 0 } });
  });

  test('of somebody else is never touched', async () => {
    const before = await bed.deployPrefetcher(stack => ({ images: ['v1', 'v2'].map(tag => ImageSelection.tag(repository(stack, 'foreign'), tag)) }));
    const node = await bed.addNode(before);
    const [v1, v2] = [await bed.push('foreign', 'v1'), await bed.push('foreign', 'v2')];
    await node.cri.pull(v1.reference, bed.testbed.ecr.credentials);
    for (const name of [v1.reference, v1.digestReference]) {
      await ctr(node, 'images', 'label', name, `${PIN}=pinned`);
    }
    await reconcileRun(before);
    const after = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'foreign'), 'v2')], pinImages: false }), before);
    expect(await reconcileRun(after)).toMatchObject({ status: 'Success', outcomes: { [v2.reference]: 'present' } });

    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: true });
    expect(await labels(node, v1.reference)).toMatchObject({ [PIN]: 'pinned' });
    expect(await node.imageStatus(PAUSE_IMAGE)).toMatchObject({ pinned: true });
    expect(await node.imageStatus(v2.reference)).toMatchObject({ pinned: false });
  });

  test('goes, and comes back, with pinImages', async () => {
    const version = (pinImages: boolean, before?: Awaited<ReturnType<typeof bed.deployPrefetcher>>) =>
      bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'switched')], pinImages }), before);
    const pinning = await version(true);
    const node = await bed.addNode(pinning);
    const pushed = await bed.push('switched', 'v1');
    await pushRun(pinning, pushed);

    const without = await version(false, pinning);
    expect(await reconcileRun(without)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'present' } });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: false });
    expect(await node.imageStatus(pushed.digestReference)).toMatchObject({ pinned: false });
    await reconcileRun(await version(true, without));
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
  });

  test('of an image that two prefetchers want stays until the last of them lets go', async () => {
    const version = async (wanting: string[], before?: Awaited<ReturnType<typeof bed.deploy>>) => {
      const stack = bed.newStack(before?.plane.template.environment.stackName);
      const cluster = newCluster(stack);
      const nodegroup = cluster.addNodegroupCapacity('Gpu');
      const [shared, filler] = [repository(stack, 'shared'), repository(stack, 'filler')];
      for (const name of ['One', 'Two']) {
        new ImagePrefetcher(stack, name, { cluster, nodegroups: [nodegroup], images: [ImageSelection.tag(wanting.includes(name) ? shared : filler, 'v1')] });
      }
      return bed.deploy(stack, before);
    };
    const both = await version(['One', 'Two']);
    const node = await bed.addNode(both);
    const [shared] = [await bed.push('shared', 'v1'), await bed.push('filler', 'v1')];
    const reconcile = async (deployment: typeof both) => runsOfReconcile(await deployment.plane.reconcile())
      .map(({ status, line }) => ({ status, outcome: line(shared.reference)?.outcome }));
    expect(await reconcile(both)).toEqual([{ status: 'Success', outcome: 'pulled' }, { status: 'Success', outcome: 'present' }]);

    const two = await version(['Two'], both);
    expect(await reconcile(two)).toEqual([{ status: 'Success', outcome: undefined }, { status: 'Success', outcome: 'present' }]);
    expect(await node.imageStatus(shared.reference)).toMatchObject({ pinned: true });

    const none = await version([], two);
    expect(await reconcile(none)).toEqual([{ status: 'Success', outcome: undefined }, { status: 'Success', outcome: 'unpinned' }]);
    expect(await node.imageStatus(shared.reference)).toMatchObject({ pinned: false });
  });

  test('outlives a prefetcher that is removed from its stack, and goes when that comes back with pinImages false', async () => {
    const version = async (prefetcher: boolean, pinImages: boolean, before?: Awaited<ReturnType<typeof bed.deploy>>) => {
      const stack = bed.newStack(before?.plane.template.environment.stackName);
      const cluster = newCluster(stack);
      const nodegroup = cluster.addNodegroupCapacity('Gpu');
      const images = [newest(stack, 'removed')];
      if (prefetcher) {
        new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [nodegroup], images, pinImages });
      }
      new ImagePrefetcher(stack, 'Other', { cluster, nodegroups: [nodegroup], images: [newest(stack, 'other')] });
      return bed.deploy(stack, before);
    };
    const complete = await version(true, true);
    const node = await bed.addNode(complete);
    const pushed = await bed.push('removed', 'v1');
    await bed.push('other', 'v1');
    expect(runsOfReconcile(await complete.plane.reconcile()).map(({ status }) => status)).toEqual(['Success', 'Success']);

    // Nobody is left who knows of it: it stays pinned as long as the node lives.
    const without = await version(false, true, complete);
    expect(only(runsOfReconcile(await without.plane.reconcile()))).toMatchObject({ status: 'Success', summary: { unpinned: 0, removed: 0 } });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });

    await (await version(true, false, without)).plane.reconcile();
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: false });
  });
});

/** The labels of containerd's own record of an image. */
async function labels(node: Node, name: string): Promise<Record<string, string>> {
  const lines = (await ctr(node, 'images', 'list', `name==${name}`)).split('\n');
  const text = lines[1]?.trim().split(/\s+/).pop() ?? '';
  return Object.fromEntries(text.split(',').map(label => label.split('=')));
}

async function ctr(node: Node, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await node.exec(['ctr', '--namespace', 'k8s.io', ...args]);
  if (exitCode !== 0) {
    throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
  }
  return stdout;
}
