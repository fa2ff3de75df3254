import * as fs from 'node:fs';
import type { Node } from '../../testbed/engines';
import { sleep } from '../../testbed/engines/processes';
import type { Bed } from '../bed';
import { forget, joinRun } from '../bed';
import type { Measured, Row } from '../row';

/** Ticks a second of the times in /proc. */
const TICKS = 100;
const LOOK_EVERY_MS = 100;

interface Use {
  readonly peakMiB: number[];
  readonly cpuPercent: number[];
}

const measured = new WeakMap<Bed, Promise<Use>>();

function use(bed: Bed): Promise<Use> {
  const known = measured.get(bed) ?? measure(bed);
  measured.set(bed, known);
  return known;
}

async function measure(bed: Bed): Promise<Use> {
  const deployment = await bed.deploy('Use');
  const node = await bed.addNode(deployment);
  try {
    const { reference } = await bed.pushLarge('use');
    const found: Use = { peakMiB: [], cpuPercent: [] };
    for (let round = 0; round < bed.sizes.rounds; round++) {
      const looks: Look[] = [];
      let over = false;
      const watching = (async () => {
        while (!over) {
          looks.push(...look(node));
          await sleep(LOOK_EVERY_MS);
        }
      })();
      await joinRun(deployment, node);
      over = true;
      await watching;
      found.peakMiB.push(Math.max(...looks.map(({ peakMiB }) => peakMiB)));
      found.cpuPercent.push(whileWaiting(looks));
      await forget(node, reference);
    }
    return found;
  } finally {
    await node.stop();
  }
}

interface Look {
  readonly at: number;
  readonly pid: number;
  readonly peakMiB: number;
  readonly cpuSeconds: number;
}

/** The node program's process as it is now. */
function look(node: Node): Look[] {
  return node.processes().filter(({ argv }) => /python3/.test(argv[0] ?? '') && argv.includes('-')).flatMap(({ pid }) => {
    try {
      const read = (name: string) => fs.readFileSync(node.hostPath(`/proc/${pid}/${name}`), 'utf8');
      const times = read('stat').replace(/^.*\) /, '').split(' ');
      return [{
        at: performance.now() / 1000,
        pid,
        peakMiB: Number(/VmHWM:\s+(\d+)/.exec(read('status'))![1]) / 1024,
        cpuSeconds: (Number(times[11]) + Number(times[12])) / TICKS,
      }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** From the middle of the pull to its end: what it takes to start is not waiting. */
function whileWaiting(looks: Look[]): number {
  const second = looks.slice(Math.floor(looks.length / 2));
  const [from, to] = [second[0], second.at(-1)!];
  if (second.length < 2 || from.pid !== to.pid) {
    throw new Error('the pull was too short to see what the node program uses');
  }
  return 100 * (to.cpuSeconds - from.cpuSeconds) / (to.at - from.at);
}

function row(name: string, what: string, unit: Measured['unit'], allowed: number, of: (use: Use) => number[]): Row {
  return {
    name,
    what,
    against: `${allowed} ${unit}`,
    limit: { ratio: 1 },
    async measure(bed) {
      return { samples: { 'node program': of(await use(bed)), 'allowed': [allowed] }, unit };
    },
  };
}

export const memory = row('memory', 'peak memory of the node program', 'MiB', 40, ({ peakMiB }) => peakMiB);
export const cpu = row('cpu', 'processor while it waits for a pull', '% of a core', 2, ({ cpuPercent }) => cpuPercent);
