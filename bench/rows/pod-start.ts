import { forget, joinRun, settle } from '../bed';
import { inTurns } from '../pairs';
import type { Row, Samples } from '../row';

function podStart(by: 'tag' | 'digest'): Row {
  return {
    name: `pod-start-by-${by}`,
    what: `pod start on a prefetched image, by ${by}`,
    against: 'the same pod on an image that the kubelet pulled itself',
    limit: { ratio: 1.05 },
    async measure(bed) {
      const name = `PodBy${by}`;
      const deployment = await bed.deploy(name);
      const node = await bed.addNode(deployment);
      try {
        const pushed = await bed.push(name.toLowerCase(), 'v1', bed.sizes.smallMegabytes);
        const named = by === 'tag' ? pushed.reference : pushed.digestReference;
        const { registry } = bed.testbed;
        const firstPods: Samples = { 'prefetched, first pod': [], 'pulled by the kubelet, first pod without its pull': [] };
        let asked = 0;
        // The first pod of an image also reads it for the first time: two of a kind are two second ones.
        const secondPod = async () => {
          await node.removePods();
          await settle();
          return (await node.startPod(named, { pull: true })).ms;
        };
        const clear = async () => {
          await node.removePods();
          await forget(node, pushed.reference, pushed.digestReference);
        };
        const samples = await inTurns(bed.sizes.rounds, {
          name: 'prefetched',
          async run() {
            await joinRun(deployment, node);
            await settle();
            const before = registry.requests().length;
            firstPods['prefetched, first pod'].push((await node.startPod(named, { pull: true })).ms);
            const ms = await secondPod();
            asked += registry.requests().length - before;
            return ms;
          },
          forget: clear,
        }, {
          name: 'pulled by the kubelet',
          async run() {
            const { ms, imageMs } = await node.startPod(named, { pull: true });
            firstPods['pulled by the kubelet, first pod without its pull'].push(ms - imageMs);
            return secondPod();
          },
          forget: clear,
        });
        if (asked > 0) throw new Error(`pods on a prefetched image must ask the registry nothing, they asked ${asked} times`);
        return { samples: { ...samples, ...firstPods }, unit: 'ms', figures: { registryRequestsOfPrefetched: asked } };
      } finally {
        await node.stop();
      }
    },
  };
}

export const podStartByTag = podStart('tag');
export const podStartByDigest = podStart('digest');
