import * as fs from 'node:fs';
import { Duration } from 'aws-cdk-lib';
import type { Run } from './real-nodes';
import { onRealNodes, pushRun, reconcileRun, repository } from './real-nodes';
import type { Deployment } from '../../testbed/deployment';
import type { Fault, FaultRule, Node, ProxiedRequest, PushedImage } from '../../testbed/engines';
import { FaultProxy } from '../../testbed/engines';

jest.setTimeout(120_000);

const isManifest = ({ path }: ProxiedRequest) => path.includes('/manifests/');
const isBlob = ({ path }: ProxiedRequest) => path.includes('/blobs/');
const status = (code: number): Fault => ({ kind: 'status', status: code });

/** The first so many of the requests that it concerns fail. */
function failFirst(times: number, concerns: (request: ProxiedRequest) => boolean, fault: Fault): FaultRule {
  let left = times;
  return request => concerns(request) && left-- > 0 ? fault : undefined;
}

interface BehindProxy {
  readonly proxy: FaultProxy;
  readonly deployment: Deployment;
  readonly node: Node;
}

onRealNodes('a registry that fails', bed => {
  /** A node that wants these repositories and reaches the registry through a proxy. */
  async function behindProxy(...repositories: string[]): Promise<BehindProxy> {
    const proxy = new FaultProxy(bed.testbed.workspace, bed.testbed.registry);
    await proxy.start();
    const deployment = await bed.deployPrefetcher(stack => ({
      repositories: repositories.map(name => repository(stack, name)),
      timeout: Duration.seconds(60),
    }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: { [bed.testbed.ecr.registryHost]: proxy.url } });
    return { proxy, deployment, node };
  }

  // So many failures that containerd, which asks a few times too, gives up.
  const PASSING: [string, string, () => FaultRule][] = [
    ['too many requests (429)', 'status-429', () => failFirst(12, isManifest, status(429))],
    ['a server error (500)', 'status-500', () => failFirst(5, isManifest, status(500))],
    ['an overloaded server (503) in the middle of an image', 'status-503', () => failFirst(6, isBlob, status(503))],
    ['a connection reset at once', 'reset-at-once', () => failFirst(3, isManifest, { kind: 'reset', afterBytes: 0 })],
    ['connections reset in the middle of layers', 'reset-half-way', () => failFirst(4, isBlob, { kind: 'reset', afterBytes: 300_000 })],
  ];
  const LASTING: [string, string, number, RegExp][] = [
    ['does not have the image (404)', 'status-404', 404, /not found/],
    ['denies it (403)', 'status-403', 403, /403 Forbidden/],
    ['does not accept the credentials (401)', 'status-401', 401, /401 Unauthorized/],
  ];
  let shared: BehindProxy;
  let stalling: BehindProxy & { pushed: PushedImage; run: Promise<Run> };

  beforeAll(async () => {
    shared = await behindProxy(...[...PASSING, ...LASTING].map(([, name]) => name));
    // This run takes as long as it may, so it goes on beside the other tests.
    const behind = await behindProxy('stalls-on');
    behind.proxy.fault = request => isBlob(request) ? { kind: 'stall' } : undefined;
    const pushed = await bed.push('stalls-on', 'v1', { megabytes: 4 });
    stalling = { ...behind, pushed, run: pushRun(behind.deployment, pushed) };
  }, 60_000);

  test.each(PASSING)('is asked again after %s', async (_, name, rule) => {
    const { proxy, deployment, node } = shared;
    const pushed = await bed.push(name, 'v1', { megabytes: 4 });
    proxy.fault = rule();
    await expect(node.cri.pull(pushed.reference, bed.testbed.ecr.credentials)).rejects.toThrow();

    proxy.fault = rule();
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test.each(LASTING)('is not asked again when it %s', async (_, name, code, reason) => {
    const { proxy, deployment, node } = shared;
    const pushed = await bed.push(name, 'v1');
    proxy.fault = request => isManifest(request) ? status(code) : undefined;
    proxy.requests.length = 0;
    await expect(node.cri.pull(pushed.reference, bed.testbed.ecr.credentials)).rejects.toThrow();
    const requestsOfOnePull = proxy.requests.length;

    proxy.requests.length = 0;
    const run = await pushRun(deployment, pushed);
    expect(run).toMatchObject({ status: 'Failed', outcomes: { [pushed.reference]: 'failed' }, summary: { failed: 1 } });
    expect(run.line(pushed.reference)!.reason).toMatch(reason);
    expect(proxy.requests.length).toBe(requestsOfOnePull);
  });

  test('is asked again after a pull that stood still', async () => {
    const { proxy, deployment, node } = await behindProxy('stalls-once');
    const pushed = await bed.push('stalls-once', 'v1');
    // containerd ends a pull without progress, after five minutes by default.
    await setProgressTimeout(node, '5s');
    proxy.fault = failFirst(1, isBlob, { kind: 'stall' });
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });

  test('does not keep an image from being pulled whose registry works', async () => {
    const { proxy, deployment } = await behindProxy('sick', 'sound');
    proxy.fault = request => isManifest(request) && request.path.includes('sick') ? status(404) : undefined;
    const [sick, sound] = [await bed.push('sick', 'v1'), await bed.push('sound', 'v1')];
    expect(await reconcileRun(deployment)).toMatchObject({
      status: 'Failed', outcomes: { [sick.reference]: 'failed', [sound.reference]: 'pulled' }, summary: { failed: 1, pulled: 1 },
    });
  });

  test('is given up, with a report, before Systems Manager would end the run', async () => {
    const { pushed, node, run } = stalling;
    const stalled = await run;
    expect(stalled).toMatchObject({ status: 'Failed', outcomes: { [pushed.reference]: 'failed' }, summary: { failed: 1 } });
    expect(stalled.line(pushed.reference)!.reason).toContain('TimeoutSeconds is over');
    expect(stalled.summary.seconds).toBeLessThan(60);
    expect(node.processes().filter(({ argv }) => argv[0] === 'curl')).toEqual([]);
  });
});

onRealNodes('an ECR API that fails', bed => {
  test('is asked again, and what is there stays when it cannot say what is wanted', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'api')] }));
    const proxy = new FaultProxy(bed.testbed.workspace, { url: bed.testbed.moto.endpoint });
    await proxy.start();
    const node = await bed.addNode(deployment, 'Gpu', { aws: { ...bed.testbed.moto.environment, AWS_ENDPOINT_URL_ECR: proxy.url } });
    const pushed = await bed.push('api', 'v1');

    proxy.fault = failFirst(2, () => true, status(503));
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });

    proxy.fault = () => status(403);
    const denied = await reconcileRun(deployment);
    expect(denied).toMatchObject({ status: 'Failed', summary: { failed: 1, unpinned: 0, removed: 0 } });
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });
  });
});

async function setProgressTimeout(node: Node, timeout: string): Promise<void> {
  const file = node.hostPath('/etc/containerd/config.toml');
  const section = "[plugins.'io.containerd.cri.v1.images']\n";
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(section, `${section}image_pull_progress_timeout = '${timeout}'\n`));
  await node.stopContainerd();
  await node.startContainerd();
}
