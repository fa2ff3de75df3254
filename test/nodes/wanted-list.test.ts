import * as crypto from 'node:crypto';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { deriveImage } from './derived-image';
import { newest, onRealNodes, pushRun, reconcileRun, repository } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Image, Node, PushedImage } from '../../testbed/engines';
import { buildImage, pushImage, Registry } from '../../testbed/engines';

jest.setTimeout(120_000);

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const FOREIGN = /this node cannot run it/;

onRealNodes('the wanted list', bed => {
  const reference = (name: string) => `${bed.testbed.ecr.registryHost}/${name}`;
  const tagsOf = async (node: Node, name: string) =>
    (await node.images()).flatMap(({ repoTags }) => repoTags).filter(tag => tag.includes(`/${name}:`)).map(tag => tag.replace(/.*:/, '')).sort();
  const requests = () => ({ registry: bed.testbed.registry.requests().length, api: bed.testbed.moto.requestLog().split('"POST ').length });

  /** Pushes an image that was not built by the testbed. */
  async function pushLayout(image: Image, name: string, tag: string): Promise<void> {
    await pushImage(image, bed.testbed.registry, name, tag);
    await bed.testbed.ecr.putImage({ repository: name, tag, digest: image.digest, manifest: image.manifest, mediaType: image.mediaType });
  }

  async function foreign(seed: string): Promise<Image> {
    return deriveImage(bed.testbed.workspace.makeFolder(`foreign-${seed}`), await buildImage(1, seed), { architecture: 's390x' });
  }

  /** Pushes an index that has an image for another architecture only. */
  async function pushForeignIndex(name: string, tag: string): Promise<void> {
    const image = await foreign(`${name}-${tag}`);
    await pushImage(image, bed.testbed.registry, name, `${tag}-child`);
    const manifest = JSON.stringify({
      schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ mediaType: image.mediaType, digest: image.digest, size: image.manifest.length, platform: { os: 'linux', architecture: 's390x' } }],
    });
    await bed.testbed.registry.putManifest(name, tag, manifest, OCI_INDEX);
    const digest = `sha256:${crypto.createHash('sha256').update(manifest).digest('hex')}`;
    await bed.testbed.ecr.putImage({ repository: name, tag, digest, manifest, mediaType: OCI_INDEX });
  }

  test('keeps what a tag was rolled back to, although it is not the newest', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({
      images: [ImageSelection.repository(repository(stack, 'rolled-back'), { keep: 1, tags: { include: ['v*', 'stable'] } })],
    }));
    const node = await bed.addNode(deployment);
    for (const tag of ['v1', 'v2']) {
      await bed.push('rolled-back', tag);
    }
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: 1 } });
    const stable = await bed.push('rolled-back', 'stable', { seed: 'rolled-back-v1' });
    // ECR keeps the time of the first push.
    const [oldest] = (await bed.testbed.ecr.describeImages('rolled-back')).sort((left, right) => left.imagePushedAt - right.imagePushedAt);
    expect(oldest.imageTags).toContain('stable');

    expect(await pushRun(deployment, stable)).toMatchObject({ status: 'Success', outcomes: { [stable.reference]: 'pulled' } });
    for (let run = 0; run < 3; run++) {
      expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [stable.reference]: 'present' }, summary: { unpinned: 0, removed: 0 } });
    }
    expect(await tagsOf(node, 'rolled-back')).toEqual(['stable', 'v2']);
    expect(await node.imageStatus(stable.reference)).toMatchObject({ pinned: true });
  });

  test('leaves out an image of another architecture, which never takes the place of ours', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'two-machines')] }));
    const node = await bed.addNode(deployment);
    const mine = await bed.push('two-machines', 'v1-mine');
    expect((await reconcileRun(deployment)).outcomes).toEqual({ [mine.reference]: 'pulled' });
    await pushLayout(await foreign('two-machines'), 'two-machines', 'v1-other');

    const other = reference('two-machines:v1-other');
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', outcomes: { [other]: 'skipped', [mine.reference]: 'present' }, summary: { failed: 0, unpinned: 0 } });
    expect(run.line(other)!.reason).toMatch(/it is for linux\/s390x/);
    const { registry } = requests();
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [other]: 'skipped', [mine.reference]: 'present' } });
    expect(requests().registry).toBe(registry);
    expect(await tagsOf(node, 'two-machines')).toEqual(['v1-mine']);
    expect(await node.imageStatus(mine.reference)).toMatchObject({ pinned: true });
  });

  test('leaves out an index without our platform, by newest and by tag, and does the rest', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({
      images: [newest(stack, 'index-newest'), ImageSelection.tag(repository(stack, 'index-fixed'), 'v2'), newest(stack, 'index-none')],
    }));
    const node = await bed.addNode(deployment);
    const [old, rest] = [await bed.push('index-newest', 'v1'), await bed.push('index-none', 'v1')];
    for (const name of ['index-newest', 'index-fixed']) {
      await pushForeignIndex(name, 'v2');
    }
    for (let run = 0; run < 2; run++) {
      const { status, outcomes, line } = await reconcileRun(deployment);
      expect({ status, outcomes }).toMatchObject({
        status: 'Success', outcomes: { [reference('index-newest:v2')]: 'skipped', [reference('index-fixed:v2')]: 'skipped', [old.reference]: run === 0 ? 'pulled' : 'present' },
      });
      for (const name of ['index-newest:v2', 'index-fixed:v2']) {
        expect(line(reference(name))!.reason).toMatch(FOREIGN);
      }
    }
    expect(await node.imageStatus(rest.reference)).toMatchObject({ pinned: true });
  });

  test('has one record of an image, however it is spelled, and pins that', async () => {
    const hub = new Registry(bed.testbed.workspace, undefined, 'hub');
    await hub.start();
    await pushImage(await buildImage(1, 'public'), hub, 'library/nginx', '1.27');
    const deployment = await bed.deployPrefetcher(() => ({
      images: ['index.docker.io/library/nginx:1.27', 'docker.io/nginx:1.27', 'nginx:1.27'].map(ImageSelection.registry),
    }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: { 'docker.io': hub.url } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { 'docker.io/library/nginx:1.27': 'pulled' }, summary: { wanted: 1 } });
    const { stdout } = await node.exec(['ctr', '--namespace', 'k8s.io', 'images', 'ls', '-q', 'name~=nginx:']);
    expect(stdout.trim()).toBe('docker.io/library/nginx:1.27');
    expect(await node.imageStatus('nginx:1.27')).toMatchObject({ pinned: true });
    expect((await node.startPod('docker.io/nginx:1.27', { pull: true })).pulled).toBe(false);
  });

  test('fails only the repositories of which ECR says nothing, null or garbage, and names them', async () => {
    const says: Record<string, string> = { 'says-nothing': '', 'says-null': 'null', 'says-garbage': '<html>' };
    const api = await startApi(bed.testbed.moto.endpoint, ({ repositoryName }) => says[repositoryName ?? '']);
    try {
      const deployment = await bed.deployPrefetcher(stack => ({ images: [...Object.keys(says), 'says-all'].map(name => newest(stack, name)) }));
      await bed.addNode(deployment, 'Gpu', { aws: { ...bed.testbed.moto.environment, AWS_ENDPOINT_URL_ECR: api.url } });
      const pushed = await bed.push('says-all', 'v1');
      const run = await reconcileRun(deployment);
      expect(run.outcomes).toEqual({ ...Object.fromEntries(Object.keys(says).map(name => [reference(name), 'failed'])), [pushed.reference]: 'pulled' });
      for (const name of Object.keys(says)) {
        expect(run.line(reference(name))!.reason).toMatch(/DescribeImages.*answered nonsense/);
      }
    } finally {
      api.stop();
    }
  });

  test('brings 300 tags of one image by one pull', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'many-tags')] }));
    const node = await bed.addNode(deployment);
    const first = await bed.push('many-tags', 'v0');
    const { registry, ecr } = bed.testbed;
    const { images: [{ imageManifest }] } = await ecr.call<{ images: { imageManifest: string }[] }>('BatchGetImage', { repositoryName: 'many-tags', imageIds: [{ imageTag: 'v0' }] });
    // The registry has the first only: no other may be asked for.
    for (let number = 1; number < 300; number++) {
      await ecr.call('PutImage', { repositoryName: 'many-tags', imageManifest, imageManifestMediaType: first.image.mediaType, imageTag: `v${number}`, imageDigest: first.image.digest });
    }
    const before = requests();
    const { status, summary } = await reconcileRun(deployment);
    expect({ status, summary }).toMatchObject({ status: 'Success', summary: { wanted: 300, pulled: 300, failed: 0 } });
    const after = requests();
    process.stdout.write(`300 tags of one image: ${summary.seconds} s, ${after.registry - before.registry} requests to the registry, ${after.api - before.api} to the API\n`);
    const layers: string[] = JSON.parse(first.image.manifest).layers.map(({ digest }: { digest: string }) => digest);
    const got = registry.requests().filter(({ method, path, status: code }) => method === 'GET' && code === 200 && path.includes('/many-tags/blobs/'));
    // The node's pause image has the first of them, too.
    expect(layers.map(digest => got.filter(({ path }) => path.includes(digest)).length).slice(1)).toEqual(layers.slice(1).map(() => 1));
    expect(after.registry - before.registry).toBeLessThan(30);
    expect(await tagsOf(node, 'many-tags')).toHaveLength(300);
    for (const tag of ['v0', 'v123', 'v299']) {
      expect(await node.imageStatus(reference(`many-tags:${tag}`))).toMatchObject({ pinned: true });
    }
  });

  test('of 50 images that are all there costs few requests', async () => {
    const repositories = [...Array(10).keys()].map(number => `fifty-${number}`);
    const images = ['a', 'b', 'c', 'd', 'e'];
    const pushed: PushedImage[] = [];
    for (const image of images) {
      await buildImage(0, `fifty-${image}`);
    }
    await Promise.all(repositories.map(async name => {
      await bed.createRepository(name);
      for (const image of images) {
        pushed.push(await bed.push(name, image, { megabytes: 0, seed: `fifty-${image}` }));
      }
    }));
    const digestOf = (name: string, tag: string) => pushed.find(one => one.reference.endsWith(`/${name}:${tag}`))!.image.digest;
    const deployment = await bed.deployPrefetcher(stack => ({
      images: repositories.flatMap(name => [
        ...['a', 'b', 'c'].map(tag => ImageSelection.tag(repository(stack, name), tag)),
        ...['d', 'e'].map(tag => ImageSelection.digest(repository(stack, name), digestOf(name, tag))),
      ]),
    }));
    await bed.addNode(deployment);
    const first = await reconcileRun(deployment);
    expect(first).toMatchObject({ status: 'Success', summary: { wanted: 50, pulled: 50 } });

    const before = requests();
    const { status, summary } = await reconcileRun(deployment);
    const after = requests();
    const asked = { registry: after.registry - before.registry, api: after.api - before.api };
    process.stdout.write(`50 images that are there: ${summary.seconds} s (${first.summary.seconds} s to bring them), ${asked.registry} requests to the registry, ${asked.api} to the API\n`);
    expect({ status, summary }).toMatchObject({ status: 'Success', summary: { wanted: 50, present: 50 } });
    expect(asked.registry + asked.api).toBeLessThanOrEqual(30);
  });
});

/** The API, but for questions that have an answer here. */
async function startApi(
  endpoint: string, answerTo: (question: { repositoryName?: string }) => string | undefined,
): Promise<{ url: string; stop(): void }> {
  const server = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const answer = answerTo(JSON.parse(body));
    if (answer !== undefined) {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(answer);
      return;
    }
    const kept = Object.entries(request.headers).filter(([name]) => /^(authorization|content-type|x-amz-)/.test(name));
    const headers = Object.fromEntries(kept) as Record<string, string>;
    const real = await fetch(endpoint, { method: 'POST', body, headers });
    response.writeHead(real.status, { 'content-type': 'application/x-amz-json-1.1' }).end(await real.text());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => { server.close(); server.closeAllConnections(); },
  };
}
