/**
 * How fast this machine brings images to its disk, and what that depends on: `npm run bench:limit`, or `npm run bench:limit -- layers`.
 * Writes bench/limit/results.json; `--quick` only shows that it works.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Point, Series } from './series';
import { layers, parallelPulls, parts, rate, sizes } from './series';
import { containerdSettings } from './settings';
import { missingForNodes } from '../../testbed/engines';
import { Bed, FULL, QUICK } from '../bed';
import { machine } from '../machine';
import { median } from '../statistics';

process.env.CDK_VALIDATION = 'false';

const SERIES: Series[] = [parts, layers, sizes, parallelPulls, containerdSettings];
const RESULTS = path.join(__dirname, 'results.json');

interface Measured {
  readonly name: string;
  readonly what: string;
  readonly points: Point[];
}

async function main(): Promise<void> {
  const quick = process.argv.includes('--quick');
  const names = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
  const unknown = names.filter(name => !SERIES.some(series => series.name === name));
  if (unknown.length > 0) throw new Error(`no series is called ${unknown.join(', ')}; there are ${SERIES.map(({ name }) => name).join(', ')}`);
  const missing = missingForNodes();
  if (missing.length > 0) throw new Error(`the benchmark needs real nodes: ${missing.join('; ')}`);

  const where = await machine();
  const measured: Measured[] = [];
  const bed = await Bed.start(quick ? QUICK : { ...FULL, rounds: 3 });
  try {
    for (const { name, what, measure } of SERIES.filter(series => names.length === 0 || names.includes(series.name))) {
      const points = await measure(bed);
      measured.push({ name, what, points });
      process.stdout.write(`${name}: ${what}\n${points.map(point => `  ${point.name.padEnd(40)} ${median(point.seconds).toFixed(2)} s, ${rate(point).toFixed(0)} MB/s\n`).join('')}`);
    }
  } finally {
    await bed.stop();
  }
  if (!quick) fs.writeFileSync(RESULTS, `${JSON.stringify({ machine: where, series: measured }, undefined, 2)}\n`);
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
