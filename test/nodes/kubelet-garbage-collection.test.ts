/** The kubelet's own garbage collection, on nodes with a small disk for images. */
import * as fs from 'node:fs';
import { onRealNodes, reconcileRun, repository } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Node, PushedImage } from '../../testbed/engines';
import { runOk, waitFor } from '../../testbed/engines';

jest.setTimeout(480_000);

const DISK = '/var/lib/containerd';
/**
 * The kubelet looks for pressure every ten seconds, and collects by age and by percentage when it starts and every five minutes
 * from then on. Of these, that by percentage takes only what an earlier one has seen (imageMinimumGCAge).
 */
const NEXT_COLLECTION_SECONDS = 420;

/** The kubelet frees images when less than that is available. */
function kubeletConfig(available: string): object {
  return {
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '1%', 'imagefs.available': available },
    evictionPressureTransitionPeriod: '1s',
    imageMinimumGCAge: '1s',
  };
}

async function fill(node: Node, megabytes: number): Promise<void> {
  await runOk(['fallocate', '-l', `${megabytes}M`, node.hostPath(`${DISK}/filler`)]);
}

function empty(node: Node): void {
  fs.rmSync(node.hostPath(`${DISK}/filler`));
}

async function has(node: Node, reference: string): Promise<boolean> {
  return await node.imageStatus(reference) !== undefined;
}

function gone(node: Node, reference: string, seconds = 120): Promise<boolean> {
  return waitFor(`the kubelet to delete ${reference}`, async () => !await has(node, reference) || undefined, seconds);
}

onRealNodes('the kubelet\'s garbage collection', bed => {
  test.each([
    { pinImages: true, fate: 'leaves what is pinned, and takes what nobody pinned' },
    { pinImages: false, fate: 'takes what is prefetched without pins' },
  ])('when the disk is short, $fate', async ({ pinImages }) => {
    const name = `short-${pinImages}`;
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, name), 'v1')], pinImages }));
    await bed.createRepository(`${name}-bystander`);
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600, kubeletConfig: kubeletConfig('50%') });
    const [wanted, bystander] = [await bed.push(name, 'v1'), await bed.push(`${name}-bystander`, 'v1')];
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1 } });
    await node.cri.pull(bystander.reference, bed.testbed.ecr.credentials);

    await fill(node, 400);
    await gone(node, bystander.reference);
    if (pinImages) {
      // In one go it deletes all that it may: what is here now stays.
      expect(await node.imageStatus(wanted.reference)).toMatchObject({ pinned: true });
      expect(await has(node, wanted.digestReference)).toBe(true);
    } else {
      await gone(node, wanted.reference);
    }
  });

  test('takes ours that is no longer wanted, once it is unpinned', async () => {
    const version = (tags: string[], before?: Awaited<ReturnType<typeof bed.deployPrefetcher>>) =>
      bed.deployPrefetcher(stack => ({ images: tags.map(tag => ImageSelection.tag(repository(stack, 'released'), tag)) }), before);
    const before = await version(['v1', 'v2']);
    const node = await bed.addNode(before, 'Gpu', { imageDiskMegabytes: 600, kubeletConfig: kubeletConfig('50%') });
    const [v1, v2] = [await bed.push('released', 'v1'), await bed.push('released', 'v2')];
    expect(await reconcileRun(before)).toMatchObject({ status: 'Success', summary: { pulled: 2 } });
    expect(await reconcileRun(await version(['v2'], before))).toMatchObject({ status: 'Success', outcomes: { [v1.reference]: 'unpinned' } });
    expect(await node.imageStatus(v1.reference)).toMatchObject({ pinned: false });

    await fill(node, 400);
    await gone(node, v1.reference);
    expect(await node.imageStatus(v2.reference)).toMatchObject({ pinned: true });
    empty(node);
  });

  /** A node with an image of ours and one that nobody pinned. */
  async function scene(name: string, pinImages: boolean, kubelet: object): Promise<{ node: Node; wanted: PushedImage; bystander: PushedImage }> {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, name), 'v1')], pinImages }));
    await bed.createRepository(`${name}-bystander`);
    const node = await bed.addNode(deployment, 'Gpu', { imageDiskMegabytes: 600, kubeletConfig: { ...kubeletConfig('1%'), ...kubelet } });
    const [wanted, bystander] = [await bed.push(name, 'v1'), await bed.push(`${name}-bystander`, 'v1')];
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1 } });
    await node.cri.pull(bystander.reference, bed.testbed.ecr.credentials);
    return { node, wanted, bystander };
  }

  async function expectTaken({ node, wanted, bystander }: Awaited<ReturnType<typeof scene>>, pinImages: boolean): Promise<void> {
    await gone(node, bystander.reference, NEXT_COLLECTION_SECONDS);
    if (pinImages) {
      expect(await node.imageStatus(wanted.reference)).toMatchObject({ pinned: true });
      expect(await has(node, wanted.digestReference)).toBe(true);
    } else {
      await gone(node, wanted.reference, NEXT_COLLECTION_SECONDS);
    }
  }

  test('by age (imageMaximumGCAge) and by percentage (imageGCHighThresholdPercent) takes what is not pinned only', async () => {
    // Side by side, because each takes five minutes.
    await Promise.all([true, false].flatMap(pinImages => [
      scene(`age-${pinImages}`, pinImages, { imageMaximumGCAge: '5s' }).then(images => expectTaken(images, pinImages)),
      scene(`percentage-${pinImages}`, pinImages, { imageGCHighThresholdPercent: 60, imageGCLowThresholdPercent: 50 }).then(async images => {
        await fill(images.node, 400);
        await images.node.restartKubelet();
        for (const image of [images.wanted, images.bystander]) {
          expect(await has(images.node, image.reference)).toBe(true);
        }
        await expectTaken(images, pinImages);
      }),
    ]));
  });
});
