import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { onRealNodes, pushRun, reconcileRun, repository } from './real-nodes';
import type { Node } from '../../testbed/engines';

jest.setTimeout(120_000);

const SOCI_SOCKET = '/run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock';

onRealNodes('a node', bed => {
  test('whose kubelet does not run yet gets the image when it does', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'early')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('early', 'v1');
    await node.stopKubelet();

    let ended = false;
    const run = reconcileRun(deployment).finally(() => { ended = true; });
    // It has looked, and looks again.
    await node.seeProcesses('/ImageFsInfo', 2);
    expect(ended).toBe(false);
    expect(await node.imageStatus(pushed.reference)).toBeUndefined();

    await node.startKubelet();
    expect(await run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('in a warm pool, which has no kubelet, gets the image, and its pod finds it once the instance serves', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'warm')] }));
    const node = await bed.addNode(deployment, 'Gpu', { lifecycleState: 'Warmed:Running' });
    const pushed = await bed.push('warm', 'v1');
    await node.stopKubelet();

    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    expect(node.processes().filter(({ argv }) => argv[0]?.endsWith('kubelet'))).toEqual([]);
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });

    await node.startKubelet();
    expect(await node.startPod(pushed.reference, { pull: true })).toMatchObject({ pulled: false });
  });

  test('whose containerd is restarted while the agent already runs gets the image', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'restarted')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('restarted', 'v1');
    await node.stopContainerd();

    const run = reconcileRun(deployment);
    // It has looked, and looks again.
    await node.seeProcesses('/ImageFsInfo', 2);
    await node.startContainerd();
    expect(await run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('whose containerd is restarted in the middle of a pull gets the image', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'killed')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('killed', 'v1', { megabytes: 20 });
    bed.testbed.registry.stall();
    const run = reconcileRun(deployment);
    try {
      await node.seeProcesses('/PullImage');
      await node.stopContainerd();
    } finally {
      bed.testbed.registry.resume();
    }
    await node.startContainerd();
    expect(await run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('whose kubelet pulls through another image service (SOCI) gets its images through that, pinned all the same', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'soci')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('soci', 'v1');
    fs.writeFileSync(node.hostPath('/etc/kubernetes/kubelet/config.json.d/40-soci.conf'), JSON.stringify({
      kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1', imageServiceEndpoint: `unix://${SOCI_SOCKET}`,
    }));
    const soci = await forward(node, SOCI_SOCKET);
    try {
      const run = await pushRun(deployment, pushed);
      expect(run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' }, summary: { endpoint: `unix://${SOCI_SOCKET}` } });
      // SOCI learns a registry's credentials from nothing but the pull requests that go through it.
      expect(soci.requests()).toContain(bed.testbed.ecr.credentials.password);
      expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
    } finally {
      await soci.stop();
    }
  });

  test('that was stopped for a month is brought up to date', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'month')] }));
    const node = await bed.addNode(deployment);
    const old = await bed.push('month', 'v1');
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [old.reference]: 'pulled' } });
    await node.stopKubelet();
    await node.stopContainerd();

    for (const tag of ['v2', 'v3']) {
      await bed.push('month', tag);
    }
    const fresh = await bed.push('month', 'v4');
    await bed.testbed.ecr.deleteImage('month', { imageTag: 'v1' });
    await node.startContainerd();
    await node.startKubelet();
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [fresh.reference]: 'pulled', [old.reference]: 'unpinned' } });
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [fresh.reference]: 'present', [old.reference]: 'removed' } });
    expect((await node.images()).flatMap(({ repoTags }) => repoTags).filter(tag => tag.includes('/month:'))).toEqual([fresh.reference]);
  });
});

/** A second socket in front of containerd's, which remembers what was sent. */
async function forward(node: Node, socket: string): Promise<{ requests(): string; stop(): Promise<void> }> {
  const seen: Buffer[] = [];
  const server = net.createServer(client => {
    const containerd = net.connect(node.hostPath('/run/containerd/containerd.sock'));
    client.on('data', data => seen.push(data));
    client.pipe(containerd).pipe(client);
    [client, containerd].forEach(each => each.on('error', () => [client, containerd].forEach(other => other.destroy())));
  });
  fs.mkdirSync(path.dirname(node.hostPath(socket)), { recursive: true });
  await new Promise<void>(resolve => server.listen(node.hostPath(socket), resolve));
  return {
    requests: () => Buffer.concat(seen).toString('latin1'),
    stop: () => new Promise(resolve => server.close(() => resolve())),
  };
}
