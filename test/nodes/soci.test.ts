/** A node as nodeadm's FastImagePull makes it: the real SOCI snapshotter in parallel pull mode, the kubelet's images through its socket. */
import * as fs from 'node:fs';
import { onRealNodes, pushRun, reconcileRun, repository } from './real-nodes';
import { engine } from '../../testbed/engines';
import { SOCI_SOCKET } from '../../testbed/node/soci-files';

jest.setTimeout(240_000);

const missing = fs.existsSync(engine('soci-snapshotter-grpc')) ? [] : ['the SOCI snapshotter is not built: run testbed/setup.sh --for-tests'];

onRealNodes('a node that pulls by SOCI', bed => {
  test('gets its images through SOCI, where the pod finds them and the pin holds', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'by-soci')] }));
    const node = await bed.addNode(deployment, 'Gpu', { soci: true });
    const pushed = await bed.push('by-soci', 'v1', { megabytes: 40 });
    expect(await pushRun(deployment, pushed)).toMatchObject({
      status: 'Success', outcomes: { [pushed.reference]: 'pulled' }, summary: { endpoint: `unix://${SOCI_SOCKET}` },
    });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
    // The layers were unpacked by SOCI.
    const snapshots = await node.exec(['ctr', '--namespace', 'k8s.io', 'snapshots', '--snapshotter', 'soci', 'list']);
    expect(snapshots.stdout.split('\n').filter(line => line.includes('Committed')).length).toBeGreaterThanOrEqual(5);
    await bed.testbed.registry.stop();
    try {
      expect(await node.startPod(pushed.reference, { pull: false })).toMatchObject({ pulled: false });
    } finally {
      await bed.testbed.registry.start();
    }
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'present' } });
  });
}, missing);
