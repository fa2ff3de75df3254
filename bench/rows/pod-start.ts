import { forget, joinRun, settle } from '../bed';
import { inTurns } from '../pairs';
import { Row } from '../row';

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
        let asked = 0;
        const start = async () => {
          // What the disk has yet to write is a matter of the row on the first pod.
          await settle();
          const before = registry.requests().length;
          const { ms } = await node.startPod(named, { pull: true });
          asked += registry.requests().length - before;
          return ms;
        };
        const clear = async () => {
          await node.removePods();
          await forget(node, pushed.reference, pushed.digestReference);
        };
        let askedOfPrefetched = 0;
        const samples = await inTurns(bed.sizes.rounds, {
          name: 'prefetched',
          async run() {
            await joinRun(deployment, node);
            asked = 0;
            const ms = await start();
            askedOfPrefetched += asked;
            return ms;
          },
          forget: clear,
        }, {
          name: 'pulled by the kubelet',
          async run() {
            await start();
            await node.removePods();
            return start();
          },
          forget: clear,
        });
        if (askedOfPrefetched > 0) throw new Error(`a pod on a prefetched image must ask the registry nothing, it asked ${askedOfPrefetched} times`);
        return { samples, unit: 'ms', figures: { registryRequestsOfPrefetched: askedOfPrefetched } };
      } finally {
        await node.stop();
      }
    },
  };
}

export const podStartByTag = podStart('tag');
export const podStartByDigest = podStart('digest');
