import type { CommandTarget } from '../../../testbed/aws';
import type { PushedImage } from '../../../testbed/engines';
import type { Run } from '../../nodes/real-nodes';
import { runsOfEvent, runsOfReconcile } from '../../nodes/real-nodes';
import type { FaultCase } from '../fault-case';
import { isLayer } from '../node-scene';
import type { Scene } from '../scene';

const PUSHES = 200;
const IMAGES = 20;
/** The SSM agent runs that many commands at once (CommandWorkersLimit), the others wait. */
const WORKERS = 5;

/** A node whose agent runs no more than so many commands at once. */
function limited(target: CommandTarget, workers: number): CommandTarget {
  let free = workers;
  const waiting: (() => void)[] = [];
  return {
    ...target,
    run: async (...command) => {
      if (free === 0) {
        await new Promise<void>(resolve => waiting.push(resolve));
      } else {
        free--;
      }
      try {
        return await target.run(...command);
      } finally {
        const next = waiting.shift();
        if (next) {
          next();
        } else {
          free++;
        }
      }
    },
  };
}

async function storm(scene: Scene): Promise<Run[]> {
  const { plane, fleet } = scene.deployment;
  const target = limited(scene.target, WORKERS);
  fleet.splice(0, fleet.length, target);
  const images: PushedImage[] = [];
  for (let at = 0; at < IMAGES; at++) {
    images.push(await scene.bed.push(scene.name, `storm-${at}`, { megabytes: 1 }));
  }
  const events = Array.from({ length: PUSHES }, (_, at) => plane.putEvent(images[at % IMAGES].event));
  // The node joins while they come.
  const joined = plane.nodeOnline(target);
  return [...(await Promise.all(events)).flatMap(runsOfEvent), ...runsOfReconcile(await joined)];
}

/** Many pushes at once. */
export const QUEUE: FaultCase[] = [
  {
    fault: `${PUSHES} pushes of ${IMAGES} images at once, while the node joins`,
    run: storm,
    status: 'Success',
    says: /pulled.*present|present.*pulled/,
    expect: (runs, scene) => {
      expect(runs).toHaveLength(PUSHES + 1);
      const pulled = runs.flatMap(({ images }) => images).filter(({ outcome }) => outcome === 'pulled').map(({ image }) => image);
      expect(pulled).toHaveLength(new Set(pulled).size);
      expect(pulled.length).toBeGreaterThanOrEqual(IMAGES);
      const layers = scene.registry.requests.filter(request => request.method === 'GET' && isLayer(request)).map(({ path }) => path);
      expect(layers).toHaveLength(new Set(layers).size);
    },
  },
];
