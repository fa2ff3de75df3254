/**
 * How fast this machine brings images to its disk, and what that depends on: `npm run bench:limit`, or `npm run bench:limit -- layers`.
 * Writes bench/limit/results.json and its part of docs/numbers.md; `--quick` only shows that it works.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { flame, missingForFlame } from './flame';
import { formats } from './formats';
import type { Flame, LimitResults, Series } from './series';
import { layers, parallelPulls, parts, rate, sizes } from './series';
import { containerdSettings } from './settings';
import { soci } from './soci';
import { missingForNodes } from '../../testbed/engines';
import { Bed, FULL, QUICK } from '../bed';
import { machine } from '../machine';
import { flameInWords, writeNumbers } from '../numbers';
import { median } from '../statistics';

process.env.CDK_VALIDATION = 'false';

const SERIES: Series[] = [parts, layers, sizes, formats, parallelPulls, soci, containerdSettings];
const FLAME = 'flame';
const RESULTS = path.join(__dirname, 'results.json');

async function main(): Promise<void> {
  const quick = process.argv.includes('--quick');
  const names = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
  const unknown = names.filter(name => name !== FLAME && !SERIES.some(series => series.name === name));
  if (unknown.length > 0) {
    throw new Error(`no series is called ${unknown.join(', ')}; there are ${SERIES.map(({ name }) => name).join(', ')}, ${FLAME}`);
  }
  const missing = missingForNodes();
  if (missing.length > 0) {
    throw new Error(`the benchmark needs real nodes: ${missing.join('; ')}`);
  }

  const where = await machine();
  const measured: LimitResults['series'][number][] = [];
  let flamed: Flame | undefined;
  const bed = await Bed.start(quick ? QUICK : { ...FULL, rounds: 3 });
  try {
    const wanted = (name: string) => names.length === 0 || names.includes(name);
    if (wanted(FLAME) && possible(FLAME, missingForFlame())) {
      flamed = await flame(bed, !quick);
      process.stdout.write(`${FLAME}: ${flameInWords(flamed)}\n`);
    }
    for (const { name, what, measure, missing: missingFor } of SERIES.filter(series => wanted(series.name))) {
      if (!possible(name, missingFor?.() ?? [])) {
        continue;
      }
      const points = await measure(bed);
      measured.push({ name, what, points });
      process.stdout.write(`${name}: ${what}\n${points.map(point => `  ${point.name.padEnd(40)} ${median(point.seconds).toFixed(2)} s, ${rate(point).toFixed(0)} MB/s\n`).join('')}`);
    }
  } finally {
    await bed.stop();
  }
  if (!quick) {
    write({ flame: flamed, machine: where, series: measured });
  }
}

function possible(name: string, missing: string[]): boolean {
  if (missing.length > 0) {
    process.stdout.write(`left out: ${name}, because ${missing.join('; ')}\n`);
  }
  return missing.length === 0;
}

/** Series that were not measured this time stay as they are. */
function write({ machine: where, series, flame: flamed }: LimitResults): void {
  const before = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, 'utf8')) as LimitResults : { series: [], flame: undefined };
  const all = SERIES.flatMap(({ name }) => series.find(one => one.name === name) ?? before.series.find(one => one.name === name) ?? []);
  fs.writeFileSync(RESULTS, `${JSON.stringify({ machine: where, flame: flamed ?? before.flame, series: all }, undefined, 2)}\n`);
  writeNumbers();
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
