/**
 * What it costs and brings, on real containerd, registry and kubelet, each against what it is to be held against, in turns on the same
 * machine: `npm run bench`. Writes bench/results.json and docs/images/bench.svg. `npm run bench -- push two-nodes` measures these rows
 * alone; `--quick` only shows that it works, with small images, and writes nothing.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Bed, FULL, QUICK } from './bed';
import { writeMeasured } from './fleet/from-results';
import { machine } from './machine';
import { barChart } from './plot/bar-chart';
import type { Result, Row } from './row';
import { toResult } from './row';
import { ROWS } from './rows';
import { median } from './statistics';
import { sentence } from './words';
import { missingForNodes } from '../testbed/engines';

// The CDK's own check of templates takes longer than synth.
process.env.CDK_VALIDATION = 'false';

const RESULTS = path.join(__dirname, 'results.json');
const PLOT = path.join(__dirname, '../docs/images/bench.svg');

interface Results {
  readonly machine: Record<string, string | number>;
  readonly rows: Result[];
}

async function main(): Promise<void> {
  const quick = process.argv.includes('--quick');
  const names = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
  const unknown = names.filter(name => !ROWS.some(row => row.name === name));
  if (unknown.length > 0) throw new Error(`no row is called ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`);
  const missing = missingForNodes();
  if (missing.length > 0) throw new Error(`the benchmark needs real nodes: ${missing.join('; ')}`);

  const where = await machine();
  const results: Result[] = [];
  const failures: string[] = [];
  const bed = await Bed.start(quick ? QUICK : FULL);
  try {
    for (const row of ROWS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const result = await measure(row, bed).catch((error: Error) => void failures.push(`${row.name}: ${error.stack}`));
      if (!result) continue;
      results.push(result);
      process.stdout.write(`${sentence(result)}\n`);
    }
  } finally {
    await bed.stop();
  }
  if (!quick) write({ machine: where, rows: results }, names.length > 0);
  if (failures.length > 0) throw new Error(`could not be measured: ${failures.join('\n')}`);
}

async function measure(row: Row, bed: Bed): Promise<Result | undefined> {
  const missing = row.missing?.() ?? [];
  if (missing.length === 0) return toResult(row, await row.measure(bed));
  process.stdout.write(`left out: ${row.name}, because ${missing.join('; ')}\n`);
  return undefined;
}

/** Rows that were not measured this time stay as they are. */
function write(results: Results, some: boolean): void {
  const before = some && fs.existsSync(RESULTS) ? (JSON.parse(fs.readFileSync(RESULTS, 'utf8')) as Results).rows : [];
  const rows = ROWS.flatMap(({ name }) => results.rows.find(row => row.name === name) ?? before.find(row => row.name === name) ?? []);
  fs.writeFileSync(RESULTS, `${JSON.stringify({ ...results, rows }, undefined, 2)}\n`);
  fs.writeFileSync(PLOT, barChart({
    title: 'Measured against what it is held against, and what must be reached',
    subtitle: 'ratios, shorter is better; the dashed line is the limit',
    bars: rows.map(({ name, ratio, limit, samples, reached }) => ({
      name: name.replace(/-/g, ' '),
      value: ratio,
      label: `${ratio.toFixed(2)}×`,
      limit: limit.ratio + (limit.plus ?? 0) / median(Object.values(samples)[1]),
      colour: reached ? 2 : 1,
    })),
  }));
  writeMeasured(rows, results.machine);
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
