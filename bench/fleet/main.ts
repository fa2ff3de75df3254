/**
 * Fleets of 2 to 10,000 nodes, simulated: writes the generated parts of docs/fleets.md and the plots beside it. `npm run bench:fleet`;
 * with --check it writes nothing and fails when they are not what they would be.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bottlenecks } from './alternatives';
import { FAST, SLOW } from './figures';
import { check, inputs } from './inputs';
import { churns, costs, plotOfScaleOut, plotOfStorms, scaleOuts, storms } from './other-tables';
import { behindNat, howLong, inShort, plotOfArrivals, plotOfFleets, ramps, timeouts, unreachable, whatEcrSees } from './push-tables';
import { pageWith } from '../generated';
import { lineChart } from '../plot/line-chart';

const DOCS = path.join(__dirname, '../../docs');

const PARTS: Record<string, () => string> = {
  'in-short': inShort,
  'how-long-fast': () => howLong(FAST),
  'how-long-slow': () => howLong(SLOW),
  'what-ecr-sees': whatEcrSees,
  'behind-nat': behindNat,
  'unreachable': unreachable,
  'time-outs': timeouts,
  'ramps': ramps,
  'storms': storms,
  'scale-outs': scaleOuts,
  'churn': churns,
  'costs': costs,
  'bottlenecks': bottlenecks,
  'inputs': inputs,
  'check': check,
};

const PLOTS = {
  'fleet-maxconcurrency': plotOfFleets,
  'fleet-arrivals': plotOfArrivals,
  'fleet-reconcile': plotOfStorms,
  'fleet-scale-out': plotOfScaleOut,
};

function generated(): Map<string, string> {
  const plots = Object.entries(PLOTS).map(([name, plot]): [string, string] => [path.join(DOCS, 'images', `${name}.svg`), lineChart(plot())]);
  return new Map([pageWith('fleets.md', PARTS), ...plots]);
}

function main(): void {
  const onlyCheck = process.argv.includes('--check');
  for (const [file, text] of generated()) {
    const old = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
    if (old === text) {
      continue;
    }
    if (onlyCheck) {
      process.exitCode = 1;
      process.stderr.write(`${path.relative(path.join(DOCS, '..'), file)} is not what the simulation says: run npm run bench:fleet\n`);
    } else {
      fs.writeFileSync(file, text);
      process.stdout.write(`${path.relative(path.join(DOCS, '..'), file)} written\n`);
    }
  }
}

main();
