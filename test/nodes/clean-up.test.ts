import { newest, onRealNodes, reconcileRun, repository } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Node, PushedImage } from '../../testbed/engines';
import { exportImage, waitFor } from '../../testbed/engines';

jest.setTimeout(120_000);

onRealNodes('reconcile', bed => {
  const tagsOf = async (node: Node, name: string) =>
    (await node.images()).flatMap(({ repoTags }) => repoTags).filter(tag => tag.includes(`/${name}:`)).map(tag => tag.replace(/.*:/, '')).sort();

  test('removes images it pulled that fell out of the newest N', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'keep-2', 2)] }));
    const node = await bed.addNode(deployment);
    for (const tag of ['v1', 'v2']) {
      await bed.push('keep-2', tag);
    }
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 2 } });
    const v3 = await bed.push('keep-2', 'v3');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1, present: 1, unpinned: 1, removed: 0 } });
    expect(await tagsOf(node, 'keep-2')).toEqual(['v1', 'v2', 'v3']);
    // What one run lets go of, the next one removes.
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { present: 2, removed: 1 } });
    expect(await tagsOf(node, 'keep-2')).toEqual(['v2', 'v3']);
    expect((await node.exec(['ctr', '-n', 'k8s.io', 'images', 'ls', '-q'])).stdout).not.toContain('keep-2:v1');
    expect(await node.imageStatus(v3.reference)).toMatchObject({ pinned: true });
  });

  test('keeps the previous image, pinned, while the newest one cannot be pulled', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'broken')] }));
    const node = await bed.addNode(deployment);
    const v1 = await bed.push('broken', 'v1');
    await reconcileRun(deployment);

    const v2 = await bed.push('broken', 'v2');
    await bed.testbed.registry.deleteManifest('broken', v2.image.digest);
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Failed', outcomes: { [v2.reference]: 'failed' }, summary: { unpinned: 0, removed: 0 } });
    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: true });
  });

  test('keeps an image that a container uses, without its pin, and removes it when the container is gone', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'in-use')] }));
    const node = await bed.addNode(deployment);
    const v1 = await bed.push('in-use', 'v1');
    await reconcileRun(deployment);
    await node.startPod(v1.reference, { pull: false });

    await bed.push('in-use', 'v2');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1, unpinned: 1, removed: 0 } });
    expect(await tagsOf(node, 'in-use')).toEqual(['v1', 'v2']);
    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: false });

    await node.removePods();
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [v1.reference]: 'removed' }, summary: { removed: 1 } });
    expect(await tagsOf(node, 'in-use')).toEqual(['v2']);
  });

  test('never removes an image that it did not pull', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'found')] }));
    const node = await bed.addNode(deployment);
    const v1 = await bed.push('found', 'v1');
    await node.cri.pull(v1.reference, bed.testbed.ecr.credentials);
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [v1.reference]: 'present' } });

    const v2 = await bed.push('found', 'v2');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1, unpinned: 1, removed: 0 } });
    await bed.push('found', 'v3');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [v2.reference]: 'unpinned' }, summary: { removed: 0 } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [v2.reference]: 'removed' }, summary: { removed: 1 } });
    expect(await tagsOf(node, 'found')).toEqual(['v1', 'v3']);
    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: false });
  });

  test('never removes an image that was loaded on the node without a registry', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'loaded')] }));
    const node = await bed.addNode(deployment);
    const v1 = await bed.push('loaded', 'v1');
    await load(node, v1);
    expect((await reconcileRun(deployment)).status).toBe('Success');
    await bed.push('loaded', 'v2');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1, unpinned: 1, removed: 0 } });
    expect(await tagsOf(node, 'loaded')).toEqual(['v1', 'v2']);
  });

  test('keeps a loaded image, and says so, when it can ask neither ECR nor registry', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'alone'), 'v1'), ImageSelection.registry('127.0.0.1:1/alone:v1')] }));
    const node = await bed.addNode(deployment);
    const v1 = await bed.push('alone', 'v1');
    const elsewhere = { ...v1, reference: '127.0.0.1:1/alone:v1' };
    await load(node, v1);
    await load(node, elsewhere);
    await bed.testbed.ecr.deleteImage('alone', { imageTag: 'v1' });
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', outcomes: { [v1.reference]: 'present', [elsewhere.reference]: 'present' } });
    expect(run.line(elsewhere.reference)!.reason).toContain('cannot ask whether it has moved');
  });

  test('keeps an image that fell out of the newest but is also named by hand', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'both'), ImageSelection.tag(repository(stack, 'both'), 'v1')] }));
    const node = await bed.addNode(deployment);
    for (const tag of ['v1', 'v2', 'v3']) {
      await bed.push('both', tag);
      expect((await reconcileRun(deployment)).status).toBe('Success');
    }
    expect((await reconcileRun(deployment)).status).toBe('Success');
    expect(await tagsOf(node, 'both')).toEqual(['v1', 'v3']);
  });

  test('removes an image of several tags only when all of them fell out', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'tags')] }));
    const node = await bed.addNode(deployment);
    for (const tag of ['v1', 'latest']) {
      await bed.push('tags', tag, { seed: 'tags-1' });
    }
    await reconcileRun(deployment);
    expect(await tagsOf(node, 'tags')).toEqual(['latest', 'v1']);
    for (const tag of ['v2', 'latest']) {
      await bed.push('tags', tag, { seed: 'tags-2' });
    }
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', summary: { pulled: 2, unpinned: 1, removed: 0 } });
    expect(await reconcileRun(deployment)).toMatchObject({ summary: { present: 2, removed: 1 } });
    expect(await tagsOf(node, 'tags')).toEqual(['latest', 'v2']);
  });

  test('removes images of a repository that is no longer selected, when nothing else needs them', async () => {
    const before = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'left'), newest(stack, 'stays')] }));
    const node = await bed.addNode(before);
    const [left] = [await bed.push('left', 'v1'), await bed.push('stays', 'v1')];
    await reconcileRun(before);
    const after = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'stays')] }), before);
    expect(await reconcileRun(after)).toMatchObject({ status: 'Success', outcomes: { [left.reference]: 'unpinned' } });
    expect(await reconcileRun(after)).toMatchObject({ status: 'Success', outcomes: { [left.reference]: 'removed' } });
    expect(await tagsOf(node, 'stays')).toEqual(['v1']);
  });

  test('pulls a fixed tag that moved, and lets the old image go', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'moves'), 'stable')] }));
    const node = await bed.addNode(deployment);
    const old = await bed.push('moves', 'stable', { seed: 'moves-1' });
    await reconcileRun(deployment);
    const fresh = await bed.push('moves', 'stable', { seed: 'moves-2' });
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', outcomes: { [fresh.reference]: 'pulled', [old.digestReference]: 'unpinned' } });
    expect((await node.imageStatus(fresh.reference))!.repoDigests).toEqual([fresh.digestReference]);
    expect(await node.imageStatus(fresh.reference)).toMatchObject({ pinned: true });
    expect(await node.imageStatus(old.digestReference)).toMatchObject({ pinned: false });
  });

  test('pulls the newest tag again when it moved, and removes the old image', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.repository(repository(stack, 'newest-moves'), { tags: { include: ['latest'] } })] }));
    const node = await bed.addNode(deployment);
    const old = await bed.push('newest-moves', 'latest', { seed: 'newest-moves-1' });
    await reconcileRun(deployment);
    const fresh = await bed.push('newest-moves', 'latest', { seed: 'newest-moves-2' });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [fresh.reference]: 'pulled' }, summary: { removed: 0 } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [fresh.reference]: 'present' }, summary: { removed: 1 } });
    expect(await node.imageStatus(old.digestReference)).toBeUndefined();
    expect((await node.imageStatus(fresh.reference))!.repoDigests).toEqual([fresh.digestReference]);
  });

  test('reports a fixed image that was deleted in ECR: kept where it is, skipped where it is not', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'deleted'), 'v1'), newest(stack, 'remains')] }));
    const node = await bed.addNode(deployment);
    const [deleted, remains] = [await bed.push('deleted', 'v1'), await bed.push('remains', 'v1')];
    expect((await reconcileRun(deployment)).status).toBe('Success');
    await bed.testbed.ecr.deleteImage('deleted', { imageTag: 'v1' });
    await bed.testbed.registry.deleteManifest('deleted', deleted.image.digest);

    const there = await reconcileRun(deployment);
    expect(there).toMatchObject({ status: 'Success', outcomes: { [deleted.reference]: 'present', [remains.reference]: 'present' } });
    expect(there.line(deleted.reference)!.reason).toContain('not in ECR');
    expect(await node.imageStatus(deleted.reference)).toMatchObject({ pinned: true });

    deployment.fleet.length = 0;
    await bed.addNode(deployment);
    const fresh = await reconcileRun(deployment);
    expect(fresh).toMatchObject({ status: 'Failed', outcomes: { [deleted.reference]: 'skipped', [remains.reference]: 'pulled' }, summary: { failed: 0, skipped: 1 } });
    expect(fresh.line(deleted.reference)!.reason).toContain('not in ECR');
  });

  test('goes back to the next newest image when the newest was deleted in ECR', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'withdrawn')] }));
    const node = await bed.addNode(deployment);
    for (const tag of ['v1', 'v2']) {
      await bed.push('withdrawn', tag);
    }
    await reconcileRun(deployment);
    expect(await tagsOf(node, 'withdrawn')).toEqual(['v2']);
    await bed.testbed.ecr.deleteImage('withdrawn', { imageTag: 'v2' });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1, unpinned: 1, removed: 0 } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { present: 1, removed: 1 } });
    expect(await tagsOf(node, 'withdrawn')).toEqual(['v1']);
  });

  test('skips a repository that was deleted, lets its images go, and does the rest', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'gone'), newest(stack, 'lives')] }));
    const node = await bed.addNode(deployment);
    const [gone, lives] = [await bed.push('gone', 'v1'), await bed.push('lives', 'v1')];
    expect((await reconcileRun(deployment)).status).toBe('Success');
    await bed.testbed.ecr.deleteRepository('gone');

    const run = await reconcileRun(deployment);
    const repositoryName = gone.reference.replace(/:v1$/, '');
    expect(run).toMatchObject({ status: 'Success', outcomes: { [repositoryName]: 'skipped', [lives.reference]: 'present', [gone.reference]: 'unpinned' }, summary: { failed: 0, skipped: 1 } });
    expect(run.line(repositoryName)!.reason).toContain('does not exist');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [gone.reference]: 'removed' } });
    expect(await tagsOf(node, 'gone')).toEqual([]);
  });
});

/** Puts an image on a node as a machine image's builder does. */
async function load(node: Node, { image, reference }: PushedImage): Promise<void> {
  await exportImage(image, reference, node.hostPath('/tmp/image.tar'));
  const { exitCode, stderr } = await node.exec(['ctr', '--namespace', 'k8s.io', 'images', 'import', '--local', '/tmp/image.tar']);
  if (exitCode !== 0) {
    throw new Error(`ctr images import: ${stderr}`);
  }
  // The CRI hears of it a moment later.
  await waitFor(`${reference} to be loaded`, () => node.imageStatus(reference));
}
