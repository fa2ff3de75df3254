/**
 * Where a pull spends the processor's time: `npm run bench:limit -- flame` draws docs/images/pull-flame.svg. It needs Linux's `perf`, which
 * `testbed/setup.sh` does not install.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Flame } from './series';
import { onOneNode } from './series';
import { runOk } from '../../testbed/engines/processes';
import type { Bed } from '../bed';
import { crictlPull, settle } from '../bed';
import { flameGraph } from '../plot/flame-graph';

const PICTURE = path.join(__dirname, '../../docs/images/pull-flame.svg');
const SAMPLES_A_SECOND = 199;

export function missingForFlame(): string[] {
  return spawnSync('perf', ['--version']).status === 0 ? [] : ['`perf` is not installed'];
}

/** Draws the picture, and gives each kind of work its share. */
export function flame(bed: Bed, write: boolean): Promise<Flame> {
  return onOneNode(bed, 'LimitFlame', async node => {
    const { reference } = await bed.pushLarge('limitflame');
    await settle();
    const data = path.join(bed.testbed.workspace.makeFolder('perf'), 'data');
    const perf = spawn('perf', ['record', '--quiet', '--all-cpus', '-g', '-F', `${SAMPLES_A_SECOND}`, '-o', data], { stdio: 'inherit' });
    const ended = new Promise(resolve => perf.once('close', resolve));
    try {
      await crictlPull(bed, node, reference);
    } finally {
      perf.kill('SIGINT');
      await ended;
    }
    const stdout = await runOk(['perf', 'script', '--comms', 'containerd', '-F', 'comm,ip,sym', '-i', data]);
    const stacks = fold(stdout);
    const seconds = [...stacks.values()].reduce((sum, count) => sum + count, 0) / SAMPLES_A_SECOND;
    const picture = flameGraph(
      `Where containerd spends its processor time when it pulls ${bed.sizes.megabytes} MB in ${bed.sizes.layers} layers`,
      `${seconds.toFixed(1)} s of one core in all; callers above, as wide as their share of the time`, stacks);
    if (write) {
      fs.writeFileSync(PICTURE, picture);
    }
    return { seconds, shares: shares(stacks) };
  });
}

/** How often each stack was met, from what `perf script` prints: a line for each frame, callees first, stacks apart by empty lines. */
export function fold(script: string): Map<string, number> {
  const stacks = new Map<string, number>();
  for (const block of script.split(/\n\s*\n/)) {
    const frames = block.split('\n').slice(1).map(line => /^\s*[0-9a-f]+ (.+)$/.exec(line)?.[1]).filter(name => name !== undefined);
    // Go's full names are longer than a frame is wide.
    const stack = frames.reverse().map(name => name.replace(/.*\//, '').replace(/\+0x[0-9a-f]+$/, '')).join(';');
    if (stack) {
      stacks.set(stack, (stacks.get(stack) ?? 0) + 1);
    }
  }
  return stacks;
}

const KINDS: Record<string, RegExp> = {
  'digests (SHA-256)': /sha256|crypto\.\(\*Digest/i,
  'gzip': /flate|gzip|inflate/i,
  'writing to the disk\'s cache': /vfs_write|ext4_.*write|generic_perform_write|overlay/i,
  'network': /tcp_|sock_|net\/http|inet_/i,
  'garbage collection of Go': /gcBgMark|gcDrain|mallocgc|gcAssist/i,
};

/** Share of each kind of work; the first that a stack names counts. */
function shares(stacks: Map<string, number>): Flame['shares'] {
  const counts: Record<string, number> = {};
  for (const [stack, count] of stacks) {
    const kind = Object.entries(KINDS).find(([, pattern]) => pattern.test(stack))?.[0] ?? 'something else';
    counts[kind] = (counts[kind] ?? 0) + count;
  }
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return Object.fromEntries(Object.entries(counts).sort(([, left], [, right]) => right - left).map(([kind, count]) => [kind, count / all]));
}
