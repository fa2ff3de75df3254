import type { Node } from '../../testbed/engines';
import { agentRun, crictlPull, forget, pushRuns, script } from '../bed';
import { leastCommands } from '../least';
import type { Contender } from '../pairs';
import { inTurns } from '../pairs';
import type { Row, Samples } from '../row';
import { sampleCommands } from '../sample';
import { untilUsable } from '../usable';

/** Measured until the image is usable, all by the same means; how long it takes to its end goes into `whole`. */
function usableFirst(
  whole: Samples, name: string, node: Node, reference: string, bring: () => Promise<unknown>, forgetIt: () => Promise<void>,
): Contender {
  const ends = whole[`${name}, whole run`] = [] as number[];
  return {
    name,
    run: async () => {
      const took = await untilUsable(node, reference, bring);
      ends.push(took.whole);
      return took.usable;
    },
    forget: forgetIt,
  };
}

/** From the event to the image on the node, against the sample's commands alone. */
export const push: Row = {
  name: 'push',
  what: 'push to image usable, one large image',
  against: 'the AWS sample\'s two lines',
  limit: { ratio: 0.75 },
  async measure(bed) {
    const deployment = await bed.deploy('Push');
    const node = await bed.addNode(deployment);
    try {
      const pushed = await bed.pushLarge('push');
      const { registryHost, region } = bed.testbed.ecr;
      const forgetIt = () => forget(node, pushed.reference);
      // The event matcher starts with its first question.
      await pushRuns(deployment, pushed);
      await forgetIt();
      const whole: Samples = {};
      const samples = await inTurns(bed.sizes.rounds + 4,
        usableFirst(whole, 'push, node program', node, pushed.reference, () => pushRuns(deployment, pushed), forgetIt),
        usableFirst(whole, 'sample', node, pushed.reference, () => script(node, sampleCommands(registryHost, region, 'push')), forgetIt),
        // What no program that has containerd pull can be faster than.
        usableFirst(whole, 'crictl pull', node, pushed.reference, () => crictlPull(bed, node, pushed.reference), forgetIt));
      return { samples: { ...samples, ...whole }, unit: 's' };
    } finally {
      await node.stop();
    }
  },
};

/** What the node program adds to the pull: the same push, from where the agent of the node starts it. */
export const program: Row = {
  name: 'program',
  what: 'node program, from its start by the agent until one large image is usable',
  against: 'a bare CRI pull by crictl',
  limit: { ratio: 1.03, over: 0.25 },
  async measure(bed) {
    const deployment = await bed.deploy('Program');
    const node = await bed.addNode(deployment);
    try {
      const pushed = await bed.pushLarge('program');
      const { reference } = pushed;
      const forgetIt = () => forget(node, reference);
      const run = await agentRun(deployment, node, pushed);
      await run();
      await forgetIt();
      const whole: Samples = {};
      const around: number[] = [], itsPull: number[] = [], besides: number[] = [];
      const inParts = async () => {
        const began = process.hrtime.bigint();
        const { images: [{ seconds: pull }], summary } = await run();
        around.push(Number(process.hrtime.bigint() - began) / 1e9 - summary.seconds);
        itsPull.push(pull!);
        besides.push(summary.seconds - pull!);
      };
      // One and the same pull differs by more from round to round than the program adds.
      const samples = await inTurns(bed.sizes.rounds * 3,
        usableFirst(whole, 'node program', node, reference, inParts, forgetIt),
        usableFirst(whole, 'crictl pull', node, reference, () => crictlPull(bed, node, reference), forgetIt),
        usableFirst(whole, 'the least program', node, reference, () => script(node, leastCommands(reference)), forgetIt));
      const parts = { 'before its first line and after its last': around, 'its pull': itsPull, 'what it does besides': besides };
      return { samples: { ...samples, ...whole, ...parts }, unit: 's', figures: { megabytes: bed.sizes.megabytes, layers: bed.sizes.layers } };
    } finally {
      await node.stop();
    }
  },
};
