import { sleep } from '../../testbed/engines/processes';
import { forget, joinRun, settle } from '../bed';
import { inTurns } from '../pairs';
import type { Row, Samples } from '../row';
import { median } from '../statistics';

/** Of each image, whose median is one sample. */
const PODS = 5;

function podStart(by: 'tag' | 'digest'): Row {
  return {
    name: `pod-start-by-${by}`,
    what: `pod start on a prefetched image, by ${by}, from its manifest to its container's start`,
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
        // That the kubelet notices it adds up to a second of its own, which says nothing of the image.
        const ready: Samples = { 'prefetched, until ready': [], 'pulled by the kubelet, until ready': [] };
        let asked = 0;
        // The first pod of an image also reads it for the first time: two of a kind are two second ones.
        const secondPods = async (contender: string) => {
          const started: number[] = [];
          for (let pod = 0; pod < PODS; pod++) {
            await node.removePods();
            await settle();
            // The kubelet looks around once a second. Pods that always start at the same moment of that second are not like others.
            await sleep(Math.random() * 1000);
            const { ms, startedMs } = await node.startPod(named, { pull: true });
            started.push(startedMs);
            ready[`${contender}, until ready`].push(ms);
          }
          return median(started);
        };
        const clear = async () => {
          await node.removePods();
          await forget(node, pushed.reference, pushed.digestReference);
        };
        const samples = await inTurns(bed.sizes.rounds + 2, {
          name: 'prefetched',
          async run() {
            await joinRun(deployment, node);
            await settle();
            const before = registry.requests().length;
            firstPods['prefetched, first pod'].push((await node.startPod(named, { pull: true })).startedMs);
            const startedMs = await secondPods('prefetched');
            asked += registry.requests().length - before;
            return startedMs;
          },
          forget: clear,
        }, {
          name: 'pulled by the kubelet',
          async run() {
            const { startedMs, imageMs } = await node.startPod(named, { pull: true });
            firstPods['pulled by the kubelet, first pod without its pull'].push(startedMs - imageMs);
            return secondPods('pulled by the kubelet');
          },
          forget: clear,
        });
        if (asked > 0) {
          throw new Error(`pods on a prefetched image must ask the registry nothing, they asked ${asked} times`);
        }
        return { samples: { ...samples, ...ready, ...firstPods }, unit: 'ms', figures: { registryRequestsOfPrefetched: asked } };
      } finally {
        await node.stop();
      }
    },
  };
}

export const podStartByTag = podStart('tag');
export const podStartByDigest = podStart('digest');
