import * as fs from 'node:fs';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { onRealNodes, pushRun, reconcileRun } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Node, RegistryCredentials } from '../../testbed/engines';
import { buildImage, Ecr, pushImage, Registry } from '../../testbed/engines';

jest.setTimeout(120_000);

const PLUGINS = '/etc/eks/image-credential-provider';

onRealNodes('an image of', bed => {
  async function startRegistry(name: string, credentials?: RegistryCredentials): Promise<Registry> {
    const registry = new Registry(bed.testbed.workspace, credentials, name);
    await registry.start();
    return registry;
  }

  test('a private registry is pulled with what the kubelet\'s other credential provider says', async () => {
    const credentials = { username: 'robot', password: 'a password with "quotes" and a \\' };
    const registry = await startRegistry('private', credentials);
    const reference = `${registry.address}/team/app:v1`;
    await pushImage(await buildImage(1, 'private'), registry, 'team/app', 'v1');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry(reference)] }));
    const node = await bed.addNode(deployment);
    addProvider(node, registry.address, credentials);

    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference]: 'pulled' } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference]: 'present' } });

    // The size of the image and a tag that moved are seen in that registry too.
    await pushImage(await buildImage(1, 'private-again'), registry, 'team/app', 'v1');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference]: 'pulled' } });
  });

  test('a private registry without a credential provider for it fails, and says so', async () => {
    const registry = await startRegistry('closed', { username: 'robot', password: 'unknown' });
    const reference = `${registry.address}/team/app:v1`;
    await pushImage(await buildImage(1, 'private'), registry, 'team/app', 'v1');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry(reference)] }));
    await bed.addNode(deployment);
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Failed', outcomes: { [reference]: 'failed' } });
    expect(run.line(reference)!.reason).toMatch(/no basic auth credentials|401/);
  });

  test('a public registry is pulled without credentials, and a Docker Hub short name means what it means to the kubelet', async () => {
    const registry = await startRegistry('public');
    const image = await buildImage(1, 'public');
    for (const [repository, tag] of [['library/nginx', '1.27'], ['org/app', 'v1']]) {
      await pushImage(image, registry, repository, tag);
    }
    const digest = `quay.io/org/app@${image.digest}`;
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry('nginx:1.27'), ImageSelection.registry(digest)] }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: { 'docker.io': registry.url, 'quay.io': registry.url } });

    const wanted = { 'docker.io/library/nginx:1.27': 'pulled', [digest]: 'pulled' };
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: wanted });
    await registry.stop();
    for (const reference of ['nginx:1.27', digest]) {
      expect((await node.startPod(reference, { pull: true })).pulled).toBe(false);
    }
  });

  test('a registry whose credential provider fails is pulled without credentials, as the kubelet does', async () => {
    const registry = await startRegistry('public-ecr');
    const reference = 'public.ecr.aws/docker/library/busybox:1.36';
    await pushImage(await buildImage(1, 'public'), registry, 'docker/library/busybox', '1.36');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry(reference)] }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: { 'public.ecr.aws': registry.url } });
    // Node roles may seldom call ecr-public:GetAuthorizationToken.
    addProvider(node, 'public.ecr.aws', undefined);
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference]: 'pulled' } });
  });

  test('a private registry whose credential provider fails is reported with what the provider said', async () => {
    const registry = await startRegistry('locked', { username: 'robot', password: 'unknown' });
    const reference = `${registry.address}/team/app:v1`;
    await pushImage(await buildImage(1, 'private'), registry, 'team/app', 'v1');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry(reference)] }));
    addProvider(await bed.addNode(deployment), registry.address, undefined);
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Failed', outcomes: { [reference]: 'failed' } });
    expect(run.line(reference)!.reason).toMatch(/team-provider failed: .*AccessDeniedException/);
  });

  test('a pull-through cache that has not cached it yet is pulled: the node is the first to ask', async () => {
    await pushImage(await buildImage(1, 'public'), bed.testbed.registry, 'docker-hub/library/postgres', '17');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.pullThroughCache('docker-hub/library/postgres', '17')] }));
    await bed.addNode(deployment);
    const reference = `${bed.testbed.ecr.registryHost}/docker-hub/library/postgres:17`;
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [reference]: 'pulled' } });
  });

  test('an ECR repository under another of its host names is pulled under that name, on a push too', async () => {
    const host = '123456789012.dkr-ecr.us-east-1.on.aws';
    await bed.createRepository('dual-stack');
    const deployment = await bed.deployPrefetcher(() => ({ images: [ImageSelection.registry(`${host}/dual-stack:v1`)] }));
    await bed.addNode(deployment, 'Gpu', { registries: { [host]: bed.testbed.registry.url } });
    const pushed = await bed.push('dual-stack', 'v1');
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [`${host}/dual-stack:v1`]: 'pulled' } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [`${host}/dual-stack:v1`]: 'present' } });
  });

  test('a repository of another account and region is listed and pulled there', async () => {
    const other = new Ecr(bed.testbed.moto, '210987654321', 'eu-west-1');
    await other.createRepository('shared');
    const pushed = await bed.push('shared', 'v7', { ecr: other });
    const deployment = await bed.deployPrefetcher(stack => ({
      repositories: [ecr.Repository.fromRepositoryArn(stack, 'Shared', 'arn:aws:ecr:eu-west-1:210987654321:repository/shared')],
    }));
    await bed.addNode(deployment, 'Gpu', { registries: { [other.registryHost]: bed.testbed.registry.url } });
    expect(pushed.reference).toBe('210987654321.dkr.ecr.eu-west-1.amazonaws.com/shared:v7');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });
});

/** Puts one more credential provider before the kubelet's. Without credentials it fails. */
function addProvider(node: Node, host: string, credentials?: RegistryCredentials): void {
  const file = node.hostPath(`${PLUGINS}/config.json`);
  const config = JSON.parse(fs.readFileSync(file, 'utf8'));
  config.providers.unshift({
    name: 'team-provider', matchImages: [host], defaultCacheDuration: '1h', apiVersion: 'credentialprovider.kubelet.k8s.io/v1', args: ['--quiet'],
  });
  fs.writeFileSync(file, JSON.stringify(config));
  const answer = {
    kind: 'CredentialProviderResponse', apiVersion: 'credentialprovider.kubelet.k8s.io/v1', cacheKeyType: 'Registry', auth: { [host]: credentials },
  };
  const script = credentials ? `[ "$1" = --quiet ] && cat <<'END'\n${JSON.stringify(answer)}\nEND\n` : 'echo AccessDeniedException >&2; exit 1\n';
  fs.writeFileSync(node.hostPath(`${PLUGINS}/team-provider`), `#!/bin/sh\n${script}`, { mode: 0o755 });
}
