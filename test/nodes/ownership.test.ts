import type { Run } from './real-nodes';
import { onRealNodes, reconcileRun, repository } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Deployment } from '../../testbed/deployment';
import type { Node, PushedImage } from '../../testbed/engines';

jest.setTimeout(120_000);

/** What somebody else does with a prefetched image, by repository, and how they undo it. The first is left alone. */
const OTHERS: Record<string, { what: string; undo?: string[] }> = {
  'nobody': { what: 'nobody else has anything to do with' },
  'ctr-tag': { what: 'has another name by `ctr images tag`', undo: ['images', 'rm', '--sync', 'example.com/mine:1'] },
  'kubelet-tag': { what: 'the kubelet pulled by another tag' },
  'ctr-container': { what: 'a container made by `ctr` uses', undo: ['containers', 'rm', 'keeper'] },
  'admin-pin': { what: 'an administrator pinned after us' },
};
const PIN = 'io.cri-containerd.pinned';

onRealNodes('an image that fell out', bed => {
  let deployment: Deployment;
  let node: Node;
  const first: Record<string, PushedImage> = {};
  let runs: Run[];

  const ctr = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await node.exec(['ctr', '--namespace', 'k8s.io', ...args]);
    if (exitCode !== 0) {
      throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
    }
    return stdout;
  };
  const names = async () => (await ctr('images', 'ls', '-q')).trim().split('\n');

  beforeAll(async () => {
    const repositories = Object.keys(OTHERS);
    deployment = await bed.deployPrefetcher(stack => ({
      images: repositories.map(name => ImageSelection.repository(repository(stack, name), { tags: { include: ['v*'] } })),
    }));
    node = await bed.addNode(deployment);
    await Promise.all(repositories.map(async name => { first[name] = await bed.push(name, 'v1'); }));
    expect(await reconcileRun(deployment)).toMatchObject({ status: 'Success', summary: { pulled: repositories.length } });

    const prod = await bed.push('kubelet-tag', 'prod', { seed: 'kubelet-tag-v1' });
    expect(prod.image.digest).toBe(first['kubelet-tag'].image.digest);
    await node.startPod(prod.reference, { pull: true });
    await node.removePods();
    await ctr('images', 'tag', first['ctr-tag'].reference, 'example.com/mine:1');
    await ctr('containers', 'create', first['ctr-container'].reference, 'keeper');
    for (const name of [first['admin-pin'].reference, first['admin-pin'].digestReference]) {
      await ctr('images', 'label', name, `${PIN}=pinned`);
    }

    await Promise.all(repositories.map(name => bed.push(name, 'v2')));
    runs = [];
    for (let run = 0; run < 3; run++) {
      runs.push(await reconcileRun(deployment));
    }
  }, 120_000);

  test('is removed when its every name is ours, by a later run than the one that finds it unwanted', () => {
    const { reference } = first.nobody;
    expect(runs.map(({ status, outcomes }) => [status, outcomes[reference]])).toEqual([['Success', 'unpinned'], ['Success', 'removed'], ['Success', undefined]]);
    expect(runs.map(({ summary }) => summary.removed)).toEqual([0, 1, 0]);
  });

  test.each(Object.entries(OTHERS).map(([name, { what }]) => [what, name]).slice(1))('stays when it is one that %s', async (_, name) => {
    expect(await names()).toEqual(expect.arrayContaining([first[name].reference, first[name].digestReference]));
    expect(await node.imageStatus(first[name].reference)).toMatchObject({ pinned: name === 'admin-pin' });
  });

  test('takes no name of somebody else with it', async () => {
    expect(await names()).toEqual(expect.arrayContaining(['example.com/mine:1', first['kubelet-tag'].reference.replace(/v1$/, 'prod')]));
  });

  test('is removed when the others let go of it', async () => {
    const undone = Object.entries(OTHERS).filter(([, { undo }]) => undo !== undefined);
    for (const [, { undo }] of undone) {
      await ctr(...undo!);
    }
    const { outcomes } = await reconcileRun(deployment);
    expect(outcomes).toMatchObject(Object.fromEntries(undone.map(([name]) => [first[name].reference, 'removed'])));
  });
});
