/**
 * What it costs and brings, on real containerd, registry and kubelet, each against what it is to be held against, in turns on the same
 * machine: `npm run bench`. Writes bench/results.json and docs/numbers.md with its plot. `npm run bench -- push two-nodes` measures these rows
 * alone; `--quick` only shows that it works, with small images, and writes nothing.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Bed, FULL, QUICK } from './bed';
import { writeMeasured } from './fleet/from-results';
import { machine } from './machine';
import { writeNumbers } from './numbers';
import type { Result, Results, Row } from './row';
import { toResult } from './row';
import { ROWS } from './rows';
import { sentence } from './words';
import { missingForNodes } from '../testbed/engines';

// The CDK's own check of templates takes longer than synth.
process.env.CDK_VALIDATION = 'false';

const RESULTS = path.join(__dirname, 'results.json');

async function main(): Promise<void> {
  const quick = process.argv.includes('--quick');
  const names = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
  const unknown = names.filter(name => !ROWS.some(row => row.name === name));
  if (unknown.length > 0) {
    throw new Error(`no row is called ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`);
  }
  const missing = missingForNodes();
  if (missing.length > 0) {
    throw new Error(`the benchmark needs real nodes: ${missing.join('; ')}`);
  }

  const where = await machine();
  const results: Result[] = [];
  const failures: string[] = [];
  const bed = await Bed.start(quick ? QUICK : FULL);
  try {
    for (const row of ROWS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const result = await measure(row, bed).catch((error: Error) => void failures.push(`${row.name}: ${error.stack}`));
      if (!result) {
        continue;
      }
      results.push(result);
      process.stdout.write(`${sentence(result)}\n`);
    }
  } finally {
    await bed.stop();
  }
  if (!quick) {
    write({ machine: where, rows: results }, names.length > 0);
  }
  if (failures.length > 0) {
    throw new Error(`could not be measured: ${failures.join('\n')}`);
  }
}

async function measure(row: Row, bed: Bed): Promise<Result | undefined> {
  const missing = row.missing?.() ?? [];
  if (missing.length === 0) {
    return toResult(row, await row.measure(bed));
  }
  process.stdout.write(`left out: ${row.name}, because ${missing.join('; ')}\n`);
  return undefined;
}

/** Rows that were not measured this time stay as they are. */
function write(results: Results, some: boolean): void {
  const before = some && fs.existsSync(RESULTS) ? (JSON.parse(fs.readFileSync(RESULTS, 'utf8')) as Results).rows : [];
  const rows = ROWS.flatMap(({ name }) => results.rows.find(row => row.name === name) ?? before.find(row => row.name === name) ?? []);
  fs.writeFileSync(RESULTS, `${JSON.stringify({ ...results, rows }, undefined, 2)}\n`);
  writeNumbers();
  writeMeasured(rows, results.machine);
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
