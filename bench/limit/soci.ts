import * as fs from 'node:fs';
import type { Point, Series } from './series';
import type { Node } from '../../testbed/engines';
import { engine } from '../../testbed/engines';
import { forget, joinRun } from '../bed';
import { inTurns } from '../pairs';

/** The node program on a node as nodeadm's FastImagePull makes it, which fetches and unpacks by SOCI in parallel pull mode. */
export const soci: Series = {
  name: 'soci',
  what: 'snapshotter that the node program pulls through, one large image in 10 layers or in one',
  missing: () => fs.existsSync(engine('soci-snapshotter-grpc')) ? [] : ['the SOCI snapshotter is not built: run testbed/setup.sh --for-tests'],
  async measure(bed): Promise<Point[]> {
    const points: Point[] = [];
    for (const layers of [10, 1]) {
      const deployment = await bed.deploy(`LimitSoci${layers}`);
      const nodes: Record<string, Node> = {
        'overlayfs': await bed.addNode(deployment),
        'SOCI, parallel pull': await bed.addNode(deployment, { soci: true }),
      };
      try {
        const { reference } = await bed.pushLarge(`limitsoci${layers}`, bed.sizes.megabytes, layers);
        const samples = await inTurns(bed.sizes.rounds, ...Object.entries(nodes).map(([name, node]) => ({
          name: `${name}, ${layers} ${layers === 1 ? 'layer' : 'layers'}`,
          run: async () => void await joinRun(deployment, node),
          forget: () => forget(node, reference),
        })));
        points.push(...Object.entries(samples).map(([name, seconds]) => ({ name, megabytes: bed.sizes.megabytes, seconds })));
      } finally {
        await Promise.all(Object.values(nodes).map(node => node.stop()));
      }
    }
    return points;
  },
};
