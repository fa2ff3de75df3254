import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duration } from 'aws-cdk-lib';
import type { Run } from './real-nodes';
import { newest, onRealNodes, pushRun, reconcileRun } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Deployment } from '../../testbed/deployment';
import type { Node, PushedImage } from '../../testbed/engines';
import { FaultProxy, silentHost, waitFor } from '../../testbed/engines';

jest.setTimeout(120_000);

const REPORT = '/run/report';
/** Where containerd keeps what is on its way. */
const INGEST = '/var/lib/containerd/io.containerd.content.v1.content/ingest';

/** From now on, what the runs on this node print can be read while they go on. */
function watchReports(deployment: Deployment, node: Node): () => string[] {
  deployment.fleet.splice(deployment.fleet.indexOf(node), 1, {
    name: node.name,
    tags: node.tags,
    instanceId: node.instanceId,
    run: async (script, env, timeoutSeconds) => {
      const result = await node.run(`exec >${REPORT}\n${script}`, env, timeoutSeconds);
      return { ...result, stdout: fs.readFileSync(node.hostPath(REPORT), 'utf8') };
    },
  });
  return () => fs.existsSync(node.hostPath(REPORT)) ? fs.readFileSync(node.hostPath(REPORT), 'utf8').split('\n').slice(0, -1) : [];
}

onRealNodes('of what is slow,', bed => {
  let trickling: { pushed: PushedImage; slow: string[]; run: Promise<Run>; stop(): void };

  // This run takes as long as it may, so it goes on beside the other tests.
  beforeAll(async () => {
    const registry = await startTricklingRegistry();
    const slow = ['a', 'b', 'c'].map(name => `trickle.example.com/team/${name}:v1`);
    const deployment = await bed.deployPrefetcher(stack => ({
      images: [...slow.map(ImageSelection.registry), newest(stack, 'after-trickle')], timeout: Duration.seconds(60),
    }));
    await bed.addNode(deployment, 'Gpu', { registries: { 'trickle.example.com': registry.url } });
    const pushed = await bed.push('after-trickle', 'v1');
    trickling = { pushed, slow, run: reconcileRun(deployment), stop: registry.stop };
  }, 60_000);

  afterAll(() => trickling?.stop());

  test('an image of ECR is there while a host that drops packets is still being waited for', async () => {
    const dead = [...Array(5).keys()].map(number => `dead.example.com/team/app-${number}:v1`);
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'before-dead'), ...dead.map(ImageSelection.registry)] }));
    const node = await bed.addNode(deployment);
    await silentHost(bed.testbed.workspace, node, 'dead.example.com');
    const [plain, pushed] = [await bed.push('before-dead', 'v0', { megabytes: 20 }), await bed.push('before-dead', 'v1', { megabytes: 20 })];
    const begun = Date.now();
    await node.cri.pull(plain.reference, bed.testbed.ecr.credentials);
    const plainSeconds = (Date.now() - begun) / 1000;

    const report = watchReports(deployment, node);
    const started = Date.now();
    let ended = false;
    const running = reconcileRun(deployment).finally(() => { ended = true; });
    const [line, ...others] = await waitFor('the first line', () => report().length > 0 ? report() : undefined, 100);
    const seconds = (Date.now() - started) / 1000;
    expect({ ended, others, line: JSON.parse(line) }).toMatchObject({ ended: false, others: [], line: { image: pushed.reference, outcome: 'pulled' } });

    const run = await running;
    expect(run.outcomes).toEqual({ [pushed.reference]: 'pulled', ...Object.fromEntries(dead.map(image => [image, 'failed'])) });
    for (const image of dead) {
      expect(run.line(image)!.reason).toContain('dead.example.com does not answer');
    }
    process.stdout.write(`before a host that drops packets: ${seconds.toFixed(2)} s, a plain pull ${plainSeconds.toFixed(2)} s; the whole run ${run.summary.seconds} s\n`);
  });

  test.each(['TERM', 'KILL'])('a run that %s ends in the middle of a pull leaves nothing that goes on or holds up the next', async signal => {
    const proxy = new FaultProxy(bed.testbed.workspace, bed.testbed.registry);
    await proxy.start();
    const name = `ended-by-${signal.toLowerCase()}`;
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, name)] }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: { [bed.testbed.ecr.registryHost]: proxy.url } });
    const pushed = await bed.push(name, 'v1', { megabytes: 4 });
    proxy.fault = ({ path }) => path.includes('/blobs/') ? { kind: 'stall' } : undefined;
    const ctr = async (...args: string[]) => (await node.exec(['ctr', '--namespace', 'k8s.io', ...args])).stdout.trim();
    const curls = () => node.processes().filter(({ argv }) => argv[0] === 'curl');
    const before = await ctr('leases', 'ls', '-q');

    const run = pushRun(deployment, pushed);
    await waitFor('the pull to stall', async () => curls().some(({ argv }) => argv.join(' ').includes('/PullImage')) && await ctr('content', 'active', '-q') !== '' || undefined);
    const [program, ...others] = node.processes().filter(({ argv }) => argv[0] === 'python3');
    expect(others).toEqual([]);
    await node.exec(['sh', '-c', 'kill -s "$1" "$2"', 'sh', signal, String(program.pid)]);
    const { status, summary } = await run;
    expect(status).not.toBe('Success');
    if (signal === 'TERM') {
      expect(summary.error).toBe('stopped by SIGTERM');
    }

    await waitFor('its children to end', () => curls().length === 0 || undefined);
    await waitFor('containerd to let go', async () => await ctr('leases', 'ls', '-q') === before || undefined);
    await waitFor('the bytes to be gone', () => fs.readdirSync(node.hostPath(INGEST)).length === 0 || undefined);
    proxy.fault = () => undefined;
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('a registry that gives a byte a second fails by itself: the others are there, and a report comes out in time', async () => {
    const { pushed, slow, run } = trickling;
    const { status, outcomes, line, summary } = await run;
    const failed = Object.fromEntries(slow.map(image => [image, 'failed']));
    expect({ status, outcomes }).toEqual({ status: 'Failed', outcomes: { [pushed.reference]: 'pulled', ...failed } });
    expect(summary).toMatchObject({ pulled: 1, failed: 3, timedOut: true });
    for (const image of slow) {
      expect(line(image)!.reason).toContain('TimeoutSeconds is over');
    }
    expect(summary.seconds).toBeLessThan(60);
  });
});

/** A registry of one image, whose manifest comes a byte a second. */
async function startTricklingRegistry(): Promise<{ url: string; stop(): void }> {
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', padding: 'x'.repeat(600) }));
  const server = http.createServer((request, response) => {
    if (!request.url!.includes('/manifests/')) {
      response.end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'content-length': manifest.length });
    let at = 0;
    const timer = setInterval(() => response.write(manifest.subarray(at, ++at)), 1000);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => { server.close(); server.closeAllConnections(); },
  };
}
