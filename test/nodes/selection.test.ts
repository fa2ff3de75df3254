import * as crypto from 'node:crypto';
import { onRealNodes, pushRun, reconcileRun, repository, runsOfEvent } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Image } from '../../testbed/engines';
import { buildImage, pushEvent, pushImage } from '../../testbed/engines';

jest.setTimeout(120_000);

onRealNodes('a selection of', bed => {
  const reference = (name: string) => `${bed.testbed.ecr.registryHost}/${name}`;

  test('the newest images takes the newest that pass the tag filter, each under all tags that pass', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({
      images: [ImageSelection.repository(repository(stack, 'filtered'), { keep: 2, tags: { include: ['v*', 'stable'], exclude: ['*-rc'] } })],
    }));
    const node = await bed.addNode(deployment);
    // Oldest first. Another tag with the same seed is another tag of the same image.
    for (const [tag, seed] of [['v1', 'first'], ['v2', 'second'], ['v3', 'third'], ['stable', 'third'], ['latest', 'third'], ['v4-rc', 'fourth'], ['main', 'fifth']]) {
      await bed.push('filtered', tag, { seed: `filtered-${seed}` });
    }
    await bed.testbed.ecr.putImage({ repository: 'filtered', digest: `sha256:${'1'.repeat(64)}`, manifest: '{"layers":[]}', mediaType: 'application/vnd.oci.image.manifest.v1+json' });
    await bed.push('filtered', `sha256-${'2'.repeat(64)}.sig`, { seed: 'filtered-signature' });

    const wanted = ['v2', 'v3', 'stable'].map(tag => reference(`filtered:${tag}`));
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', summary: { wanted: 3, pulled: 3 } });
    expect(run.outcomes).toEqual(Object.fromEntries(wanted.map(image => [image, 'pulled'])));
    expect((await node.images()).flatMap(({ repoTags }) => repoTags).filter(tag => tag.includes('/filtered:')).sort()).toEqual(wanted.sort());

    // On a push the same filter decides, where need be on the node.
    const outcomeOfPush = async (tag: string) => runsOfEvent(await deployment.plane.putEvent((await bed.push('filtered', tag)).event)).map(({ outcomes }) => outcomes);
    expect(await outcomeOfPush('v5')).toEqual([{ [reference('filtered:v5')]: 'pulled' }]);
    expect(await outcomeOfPush('v6-rc')).toEqual([{ [reference('filtered:v6-rc')]: 'skipped' }]);
    expect(await outcomeOfPush('nightly')).toEqual([]);
  });

  test('a fixed tag pulls it again when it is pushed again', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.tag(repository(stack, 'fixed'), 'stable')] }));
    const node = await bed.addNode(deployment);
    const first = await bed.push('fixed', 'stable', { seed: 'fixed-1' });
    expect(await pushRun(deployment, first)).toMatchObject({ status: 'Success', outcomes: { [first.reference]: 'pulled' } });
    const second = await bed.push('fixed', 'stable', { seed: 'fixed-2' });
    const run = await pushRun(deployment, second);
    expect(run).toMatchObject({ status: 'Success', images: [{ image: first.reference, outcome: 'pulled', digest: second.image.digest }] });
    expect((await node.imageStatus(first.reference))!.repoDigests).toEqual([second.digestReference]);

    const other = await bed.push('fixed', 'v1');
    expect((await deployment.plane.putEvent(other.event)).deliveries).toEqual([]);
  });

  test('a digest pulls that image, and needs neither registry nor ECR once it is there', async () => {
    await bed.createRepository('by-digest');
    const pushed = await bed.push('by-digest', 'v1');
    await bed.push('by-digest', 'v1', { seed: 'by-digest-moved' });
    const deployment = await bed.deployPrefetcher(stack => ({ images: [ImageSelection.digest(repository(stack, 'by-digest'), pushed.image.digest)] }));
    const node = await bed.addNode(deployment);
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.digestReference]: 'pulled' } });
    expect(await node.imageStatus(pushed.digestReference)).toMatchObject({ pinned: true });

    await bed.testbed.registry.stop();
    const requests = () => bed.testbed.moto.requestLog().split('"POST ').length;
    const asked = requests();
    try {
      expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.digestReference]: 'present' } });
      // The report goes to its log group.
      expect(requests() - asked).toBeLessThanOrEqual(2);
    } finally {
      await bed.testbed.registry.start();
    }
  });

  test('an image of several architectures pulls the one for this node, once', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'index')] }));
    const node = await bed.addNode(deployment);
    const { ecr, registry } = bed.testbed;
    const [mine, other] = [await buildImage(1, 'index-mine'), await buildImage(1, 'index-other')];
    for (const [image, tag] of [[mine, 'mine'], [other, 'other']] as const) {
      await pushImage(image, registry, 'index', tag);
    }
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const child = (image: Image, architecture: string) => ({ mediaType: image.mediaType, digest: image.digest, size: image.manifest.length, platform: { os: 'linux', architecture } });
    const manifest = JSON.stringify({
      schemaVersion: 2, mediaType, manifests: [child(other, 's390x'), child(mine, process.arch === 'x64' ? 'amd64' : process.arch)],
    });
    const digest = `sha256:${crypto.createHash('sha256').update(manifest).digest('hex')}`;
    await registry.putManifest('index', 'v1', manifest, mediaType);
    await ecr.putImage({ repository: 'index', tag: 'v1', digest, manifest, mediaType });
    for (const { digest: untagged, manifest: content, mediaType: type } of [mine, other]) {
      await ecr.putImage({ repository: 'index', digest: untagged, manifest: content, mediaType: type });
    }

    const push = { account: ecr.account, region: ecr.region, repository: 'index' };
    expect((await deployment.plane.putEvent(pushEvent({ ...push, digest: mine.digest, mediaType: mine.mediaType }))).deliveries).toEqual([]);
    const { 'artifact-media-type': _, ...detail } = pushEvent({ ...push, tag: 'v1', digest, mediaType }).detail;
    const [run] = runsOfEvent(await deployment.plane.putEvent({ ...pushEvent({ ...push, tag: 'v1', digest, mediaType }), detail }));
    expect(run).toMatchObject({ status: 'Success', images: [{ image: reference('index:v1'), outcome: 'pulled', digest }] });
    expect((await node.startPod(reference('index:v1'), { pull: true })).pulled).toBe(false);
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference('index:v1')]: 'present' } });
    expect(registry.requests().filter(({ method, path }) => method === 'GET' && path.includes('/v2/index/') && path.includes(other.digest))).toEqual([]);
  });
});
