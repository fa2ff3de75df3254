import type { Node } from '../../testbed/engines';
import { canMatchEvents } from '../../testbed/engines';
import { forget, pushRuns, repository } from '../bed';
import { addNodeOnItsOwnWay } from './nodes';
import type { Ramp } from '../fleet/dispatch-window';
import { secondsUntil, simulatePush } from '../fleet/push';
import type { Row } from '../row';
import { median } from '../statistics';
import { NodeLimit } from 'cdk-eks-image-prefetcher';

const NODES = 8;
/** Fewer than the nodes, so that they wait for places. */
const AT_A_TIME = 3;
const MEGABYTES_PER_SECOND = 6;
/** Of the stand-in of Systems Manager. */
const RAMP: Ramp = 'acknowledged';
const SHARES = [0.5, 0.95, 1];

/** Eight real nodes against what the simulation says of them, which knows only how long one of them takes. */
export const fleetOfEight: Row = {
  name: 'fleet-of-eight',
  what: `push to ${NODES} real nodes, ${AT_A_TIME} at a time, each on its own way of ${MEGABYTES_PER_SECOND} MB/s, until all have it`,
  against: 'what the simulation says, which knows how long one node alone takes',
  limit: { ratio: 1.15 },
  missing: () => canMatchEvents() ? [] : ['AWS\'s event-ruler is not there'],
  async measure(bed) {
    const deployment = await bed.deploy('Fleet', {
      props: stack => ({ repositories: [repository(stack, 'nodes')], maxConcurrency: NodeLimit.nodes(AT_A_TIME) }),
    });
    const nodes: Node[] = [];
    try {
      for (let number = 0; number < NODES; number++) {
        nodes.push(await addNodeOnItsOwnWay(bed, deployment, MEGABYTES_PER_SECOND));
      }
      const pushed = await bed.push('nodes', 'v1', bed.sizes.smallMegabytes);
      const arrivals = async (fleet: Node[]): Promise<number[]> => {
        deployment.fleet.splice(0, Infinity, ...fleet);
        const began = performance.now();
        const arrived: number[] = [];
        await pushRuns(deployment, pushed, () => arrived.push((performance.now() - began) / 1000));
        for (const node of fleet) {
          await forget(node, pushed.reference);
        }
        return arrived;
      };
      await arrivals(nodes);
      const alone: number[] = [];
      for (let round = 0; round < bed.sizes.rounds; round++) {
        alone.push(...await arrivals(nodes.slice(0, 1)));
      }
      const measured: number[][] = [];
      for (let round = 0; round < bed.sizes.rounds; round++) {
        measured.push(await arrivals(nodes));
      }

      const download = bed.sizes.smallMegabytes / MEGABYTES_PER_SECOND;
      const predicted = simulatePush({
        seed: 1,
        nodes: NODES,
        maxConcurrency: AT_A_TIME,
        ramp: RAMP,
        image: { megabytes: bed.sizes.smallMegabytes, layers: bed.sizes.layers },
        node: { programSeconds: Math.max(0, median(alone) - download), unpackSecondsPerMegabyte: 0, spread: 0 },
        network: { sharedMegabytesPerSecond: Infinity, nodeMegabytesPerSecond: MEGABYTES_PER_SECOND },
        deliverySeconds: 0,
      });
      const said = SHARES.map(share => secondsUntil(share, predicted, NODES)!);
      const seen = SHARES.map(share => median(measured.map(arrived => arrived[Math.ceil(share * NODES) - 1])));
      const errors = Object.fromEntries(SHARES.map((share, at) => [`error at ${share * 100} %, percent`, Math.round(1000 * (said[at] / seen[at] - 1)) / 10]));
      return {
        samples: { 'eight nodes': measured.map(arrived => arrived.at(-1)!), 'predicted': [said.at(-1)!], 'one node alone': alone },
        unit: 's',
        figures: { megabytes: bed.sizes.smallMegabytes, ...errors },
      };
    } finally {
      for (const node of nodes) {
        await node.stop();
      }
    }
  },
};
