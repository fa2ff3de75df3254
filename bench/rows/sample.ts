import { crictlPull, forget, joinRun, pushRuns, script } from '../bed';
import { inTurns } from '../pairs';
import type { Row } from '../row';
import { sampleCommands } from '../sample';

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
      const samples = await inTurns(bed.sizes.rounds,
        { name: 'push, node program', run: async () => void await pushRuns(deployment, pushed), forget: forgetIt },
        { name: 'sample', run: () => script(node, sampleCommands(registryHost, region, 'push')), forget: forgetIt },
        // What no program that has containerd pull can be faster than.
        { name: 'crictl pull', run: () => crictlPull(bed, node, pushed.reference), forget: forgetIt });
      return { samples, unit: 's' };
    } finally {
      await node.stop();
    }
  },
};

/** What the node program adds to the pull. */
export const program: Row = {
  name: 'program',
  what: 'node program, one large image',
  against: 'a bare CRI pull by crictl',
  limit: { ratio: 1.03, plus: 0.25 },
  async measure(bed) {
    const deployment = await bed.deploy('Program');
    const node = await bed.addNode(deployment);
    try {
      const { reference } = await bed.pushLarge('program');
      const forgetIt = () => forget(node, reference);
      const samples = await inTurns(bed.sizes.rounds,
        { name: 'node program', run: async () => void await joinRun(deployment, node), forget: forgetIt },
        { name: 'crictl pull', run: () => crictlPull(bed, node, reference), forget: forgetIt });
      return { samples, unit: 's', figures: { megabytes: bed.sizes.megabytes, layers: bed.sizes.layers } };
    } finally {
      await node.stop();
    }
  },
};
