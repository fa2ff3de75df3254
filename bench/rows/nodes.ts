import type { Node } from '../../testbed/engines';
import { canMatchEvents, FaultProxy } from '../../testbed/engines';
import type { Bed } from '../bed';
import { forget, pushRuns } from '../bed';
import { inTurns } from '../pairs';
import type { Row } from '../row';

/** So slow that the nodes wait for their ways, as they do on EC2, and not for the processors that they share here. */
const MEGABYTES_PER_SECOND = 10;

/** A node with a way to the registry that is its own. */
export async function addNodeOnItsOwnWay(bed: Bed, deployment: Parameters<Bed['addNode']>[0], megabytesPerSecond = MEGABYTES_PER_SECOND): Promise<Node> {
  const way = new FaultProxy(bed.testbed.workspace, bed.testbed.registry, megabytesPerSecond);
  await way.start();
  return bed.addNode(deployment, { registries: { [bed.testbed.ecr.registryHost]: way.url } });
}

export const twoNodes: Row = {
  name: 'two-nodes',
  what: `push to two nodes, until both have it, each on its own way of ${MEGABYTES_PER_SECOND} MB/s`,
  against: 'the same push to one node',
  limit: { ratio: 1.2 },
  missing: () => canMatchEvents() ? [] : ['AWS\'s event-ruler is not there'],
  async measure(bed) {
    const deployment = await bed.deploy('Two', { repositoryName: 'nodes' });
    const nodes = [await addNodeOnItsOwnWay(bed, deployment), await addNodeOnItsOwnWay(bed, deployment)];
    try {
      const pushed = await bed.push('nodes', 'v1', bed.sizes.smallMegabytes);
      const to = (fleet: Node[]) => async () => {
        deployment.fleet.splice(0, Infinity, ...fleet);
        await pushRuns(deployment, pushed);
      };
      const forgetIt = async () => {
        for (const node of nodes) {
          await forget(node, pushed.reference);
        }
      };
      await to(nodes)();
      await forgetIt();
      const samples = await inTurns(bed.sizes.rounds,
        { name: 'two nodes', run: to(nodes), forget: forgetIt },
        { name: 'one node', run: to(nodes.slice(0, 1)), forget: forgetIt });
      return { samples, unit: 's', figures: { megabytes: bed.sizes.smallMegabytes } };
    } finally {
      for (const node of nodes) {
        await node.stop();
      }
    }
  },
};
