/**
 * Which pods run on a prefetched image while the registry is down, by the real kubelet: since Kubernetes 1.35 it keeps records of
 * what it pulled itself (KubeletEnsureSecretPulledImages; kubernetes/kubernetes issue 138175). The oldest version that EKS supports
 * keeps none.
 */
import * as fs from 'node:fs';
import { onRealNodes, pushRun, repository } from './real-nodes';
import type { Node, NodeOptions, PullPolicy, PushedImage } from '../../testbed/engines';
import { engine } from '../../testbed/engines';
import { OLDEST_KUBELET } from '../../testbed/node/node-files';

jest.setTimeout(240_000);

const POLICIES: PullPolicy[] = ['IfNotPresent', 'Never', 'Always'];

/** What the kubelet says when a pull fails, and when it may not pull. */
const FAILED = { IfNotPresent: 'ErrImagePull', Never: 'ErrImageNeverPull', Always: 'ErrImagePull' };

interface Scene {
  readonly node: Node;
  readonly pushed: PushedImage;
  /** The same image in another repository. */
  readonly second: PushedImage;
}

onRealNodes('a pod on a prefetched image', bed => {
  /** Prefetches an image on a new node, after the kubelet has pulled that reference, if any. */
  async function prefetched(name: string, pulledByKubelet?: (scene: Scene) => string, options: NodeOptions = {}): Promise<Scene> {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, name)] }));
    await bed.createRepository(`${name}-second`);
    const node = await bed.addNode(deployment, 'Gpu', options);
    const [pushed, second] = [await bed.push(name, 'v1', { seed: name }), await bed.push(`${name}-second`, 'v1', { seed: name })];
    expect(second.image.digest).toBe(pushed.image.digest);
    const scene = { node, pushed, second };
    if (pulledByKubelet) {
      expect(await node.startPod(pulledByKubelet(scene), { pull: true })).toMatchObject({ pulled: true });
    }
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success' });
    return scene;
  }

  /** Of the names, those pods of policy IfNotPresent and Never run by. `Always` asks the registry in any case. */
  function runs(...names: string[]): Record<string, string> {
    return Object.fromEntries(POLICIES.flatMap(policy => ['by tag', 'by digest', 'by a second name']
      .map(how => [`${policy} ${how}`, policy !== 'Always' && names.includes(how) ? 'runs' : FAILED[policy]])));
  }

  /** What becomes of a pod of each kind while the registry is down. */
  async function withoutRegistry({ node, pushed, second }: Scene): Promise<Record<string, string>> {
    await bed.testbed.registry.stop();
    try {
      const names = { 'by tag': pushed.reference, 'by digest': pushed.digestReference, 'by a second name': second.reference };
      const outcomes: Record<string, string> = {};
      for (const policy of POLICIES) {
        for (const [how, reference] of Object.entries(names)) {
          const { ready, waiting } = await node.tryPod(reference, policy);
          outcomes[`${policy} ${how}`] = ready ? 'runs' : `${waiting}`;
        }
      }
      return outcomes;
    } finally {
      // A pod that waits for its image would go on asking, in the middle of the next test.
      await node.removePods().finally(() => bed.testbed.registry.start());
    }
  }

  test('runs by its name when the kubelet never pulled it, unless the pod wants to ask the registry', async () => {
    expect(await withoutRegistry(await prefetched('never-pulled'))).toEqual(runs('by tag', 'by digest'));
  });

  test('runs by its name when the kubelet had pulled it by that name', async () => {
    expect(await withoutRegistry(await prefetched('same-name', ({ pushed }) => pushed.reference))).toEqual(runs('by tag', 'by digest'));
  });

  test('is refused by its name, or asked for again, when the kubelet had pulled the same image by another name', async () => {
    const scene = await prefetched('other-name', ({ second }) => second.reference);
    expect(await withoutRegistry(scene)).toEqual(runs('by a second name'));
  });

  const here = fs.existsSync(engine(OLDEST_KUBELET));
  if (!here) {
    process.stderr.write('the kubelet without records is not tested: testbed/setup.sh --for-tests builds it\n');
  }

  (here ? test : test.skip)('runs by each of its names, on the oldest kubelet that EKS supports, whoever pulled it', async () => {
    const scene = await prefetched('no-records', ({ second }) => second.reference, { kubelet: 'oldest' });
    const { stdout } = await scene.node.exec(['kubelet', '--version']);
    expect(stdout).toContain('v1.34.');
    expect(await withoutRegistry(scene)).toEqual(runs('by tag', 'by digest', 'by a second name'));
  });

  test('asks the registry once more, for no layer, where the kubelet wants to make sure', async () => {
    const { node, pushed } = await prefetched('asked-again', ({ second }) => second.reference);
    const before = bed.testbed.registry.requests().length;
    expect(await node.startPod(pushed.reference, { pull: true })).toMatchObject({ pulled: true });
    const asked = bed.testbed.registry.requests().slice(before).map(({ method, path }) => `${method} ${path}`);
    expect(new Set(asked)).toEqual(new Set([`HEAD /v2/asked-again/manifests/v1?ns=${bed.testbed.ecr.registryHost}`]));
  });
});
