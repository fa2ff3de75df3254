import { newest, onRealNodes, only, pushRun, repository, runsOfEvent, runsOfReconcile } from './real-nodes';
import { ImagePrefetcher } from '../../src';
import { pushEvent } from '../../testbed/engines';
import { newCluster } from '../fixture';

jest.setTimeout(120_000);

onRealNodes('a push', bed => {
  test('reaches the nodes of the selected node group and no other, and a node that joins later catches up', async () => {
    const stack = bed.newStack();
    const cluster = newCluster(stack);
    cluster.addNodegroupCapacity('Web');
    new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [cluster.addNodegroupCapacity('Gpu')], repositories: [repository(stack, 'group')] });
    const deployment = await bed.deploy(stack);
    const [gpu, web] = [await bed.addNode(deployment, 'Gpu'), await bed.addNode(deployment, 'Web')];

    const pushed = await bed.push('group', 'v1', { megabytes: 10 });
    const runs = runsOfEvent(await deployment.plane.putEvent(pushed.event));
    expect(runs.map(({ node, status, outcomes }) => ({ node, status, outcomes })))
      .toEqual([{ node: gpu.name, status: 'Success', outcomes: { [pushed.reference]: 'pulled' } }]);
    expect(await gpu.imageStatus(pushed.reference)).toBeDefined();
    expect(await web.images()).toHaveLength(1); // its pause image

    const late = await bed.addNode(deployment, 'Gpu');
    expect(only(runsOfReconcile(await deployment.plane.nodeOnline(late)))).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    expect((await late.startPod(pushed.reference, { pull: true })).pulled).toBe(false);

    expect(runsOfReconcile(await deployment.plane.nodeOnline(web))).toEqual([]);
    expect(runsOfReconcile(await deployment.plane.reconcile()).map(({ node }) => node)).toEqual([gpu.name, late.name]);
    expect(await web.images()).toHaveLength(1);
  });

  test('lets a pod that names the image by its digest start with the registry stopped', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'digest')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('digest', 'v1');
    expect((await pushRun(deployment, pushed)).status).toBe('Success');

    await bed.testbed.registry.stop();
    try {
      expect((await node.startPod(pushed.digestReference, { pull: true })).pulled).toBe(false);
    } finally {
      await bed.testbed.registry.start();
    }
  });

  test('to one of two clusters of an account leaves the nodes of the other alone', async () => {
    const stack = bed.newStack();
    for (const name of ['Blue', 'Green']) {
      const cluster = newCluster(stack, name);
      const nodegroup = cluster.addNodegroupCapacity('Nodes', { nodegroupName: 'training' });
      new ImagePrefetcher(stack, `${name}Prefetcher`, { cluster, nodegroups: [nodegroup], repositories: [repository(stack, `app-of-${name.toLowerCase()}`)] });
    }
    const deployment = await bed.deploy(stack);
    const [blue, green] = [await bed.addNode(deployment, 'BlueNodegroup'), await bed.addNode(deployment, 'GreenNodegroup')];
    expect(blue.tags['eks:nodegroup-name']).toBe(green.tags['eks:nodegroup-name']);
    const [forBlue, forGreen] = [await bed.push('app-of-blue', 'v1'), await bed.push('app-of-green', 'v1')];

    expect(runsOfEvent(await deployment.plane.putEvent(forBlue.event)).map(({ node }) => node)).toEqual([blue.name]);
    expect(await green.images()).toHaveLength(1);
    expect(runsOfEvent(await deployment.plane.putEvent(forGreen.event)).map(({ node }) => node)).toEqual([green.name]);
    expect(runsOfReconcile(await deployment.plane.reconcile()).map(({ node, outcomes }) => ({ node, outcomes }))).toEqual([
      { node: blue.name, outcomes: { [forBlue.reference]: 'present' } },
      { node: green.name, outcomes: { [forGreen.reference]: 'present' } },
    ]);
    expect(await blue.imageStatus(forGreen.reference)).toBeUndefined();
    expect(await green.imageStatus(forBlue.reference)).toBeUndefined();
  });

  test('reaches nodes whose SSM agent is too old to hand parameters over as environment variables', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'old-agent')] }));
    Object.assign(await bed.addNode(deployment), { agent: 'old' });
    const pushed = await bed.push('old-agent', 'v1');

    const [{ runbook }] = (await deployment.plane.putEvent(pushed.event)).deliveries;
    const [invocation] = runbook!.steps[0].command!.invocations;
    expect(Object.keys(invocation.command!.env).filter(name => name.startsWith('SSM_Pushed'))).toEqual([]);
    expect(invocation).toMatchObject({ status: 'Success', output: { stderr: '' } });
    expect(only(runsOfReconcile(await deployment.plane.reconcile()))).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'present' } });
  });

  test('that comes twice, while a reconcile runs, pulls the image once', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'at-once')] }));
    await bed.addNode(deployment);
    const pushed = await bed.push('at-once', 'v1', { megabytes: 40 });

    const { plane } = deployment;
    const [first, second, third] = await Promise.all([plane.putEvent(pushed.event), plane.putEvent(pushed.event), plane.reconcile()]);
    const runs = [...runsOfEvent(first), ...runsOfEvent(second), ...runsOfReconcile(third)];
    expect(runs.map(({ status }) => status)).toEqual(['Success', 'Success', 'Success']);
    expect(runs.map(run => run.line(pushed.reference)!.outcome).sort()).toEqual(['present', 'present', 'pulled']);

    const blobs = bed.testbed.registry.requests().filter(({ method, path }) => method === 'GET' && path.startsWith('/v2/at-once/blobs/'));
    const { config, layers } = JSON.parse(pushed.image.manifest) as { config: { digest: string }; layers: { digest: string }[] };
    // The first layer, busybox, is also the pause image's, so it is on the node.
    expect(blobs.map(({ path }) => path.replace(/.*\/|\?.*/g, '')).sort()).toEqual([config, ...layers.slice(1)].map(({ digest }) => digest).sort());
  });

  test('of an artifact that is no container image starts nothing, or is skipped where the event does not say what it is', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'artifacts')] }));
    const node = await bed.addNode(deployment);
    const mediaType = 'application/vnd.oci.artifact.manifest.v1+json';
    const manifest = JSON.stringify({ mediaType, artifactType: 'application/vnd.cncf.helm.config.v1+json', blobs: [] });
    const digest = `sha256:${'a'.repeat(64)}`;
    await bed.testbed.ecr.putImage({ repository: 'artifacts', tag: 'chart-1', digest, manifest, mediaType });
    const { account, region, registryHost } = bed.testbed.ecr;
    const event = pushEvent({ account, region, repository: 'artifacts', tag: 'chart-1', digest, mediaType });
    const { 'artifact-media-type': _, 'manifest-media-type': __, ...bare } = event.detail;

    const ofChart = { ...event, detail: { ...event.detail, 'artifact-media-type': 'application/vnd.cncf.helm.config.v1+json' } };
    expect((await deployment.plane.putEvent(ofChart)).deliveries).toEqual([]);

    const run = only(runsOfEvent(await deployment.plane.putEvent({ ...event, detail: bare })));
    expect(run).toMatchObject({ status: 'Success', outcomes: { [`${registryHost}/artifacts:chart-1`]: 'skipped' }, summary: { skipped: 1, failed: 0 } });
    expect(run.images[0].reason).toContain('not a container image');
    expect(only(runsOfReconcile(await deployment.plane.reconcile()))).toMatchObject({ status: 'Success', images: [] });
    expect(await node.images()).toHaveLength(1);
  });
});
