/** What docs/numbers.md and its plot say, made of the committed results: `npm run bench` and `npm run bench:limit` end with it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { table } from './fleet/words';
import { pageWith } from './generated';
import type { Flame, LimitResults } from './limit/series';
import { rate } from './limit/series';
import { barChart } from './plot/bar-chart';
import type { Limit, Result, Results } from './row';
import { median } from './statistics';
import { allowed, figure } from './words';

const RESULTS = path.join(__dirname, 'results.json');
const LIMIT_RESULTS = path.join(__dirname, 'limit/results.json');
const IMAGES = path.join(__dirname, '../docs/images');

/** Files, and what they should contain. */
export function numbers(): Map<string, string> {
  const { machine, rows } = read<Results>(RESULTS);
  // Measured apart from the rows, and seldomer.
  const limit: LimitResults = fs.existsSync(LIMIT_RESULTS) ? read(LIMIT_RESULTS) : { machine: {}, series: [] };
  return new Map([
    [path.join(IMAGES, 'bench.svg'), plot(rows)],
    [path.join(IMAGES, 'limit.svg'), limitPlot(limit.series)],
    pageWith('numbers.md', {
      'machine': () => machineInWords(machine),
      'rows': () => rowsTable(rows),
      'limit-machine': () => limit.series.length > 0 ? machineInWords(limit.machine) : '',
      'flame': () => limit.flame ? flameInWords(limit.flame) : '',
      'limit': () => limit.series.map(seriesTable).join('\n\n'),
    }),
  ]);
}

export function writeNumbers(): void {
  for (const [file, text] of numbers()) {
    fs.writeFileSync(file, text);
  }
}

function read<T>(file: string): T {
  return JSON.parse(fs.readFileSync(file, 'utf8')) as T;
}

function plot(rows: Result[]): string {
  return barChart({
    title: 'Measured against what it is held against, and what must be reached',
    subtitle: 'ratios, shorter is better; the dashed line is the limit',
    bars: rows.map(({ name, ratio, limit, samples, reached }) => ({
      name: name.replace(/-/g, ' '),
      value: ratio,
      label: `${ratio.toFixed(2)}×`,
      limit: limitAsRatio(limit, median(Object.values(samples)[1])),
      colour: reached ? 2 : 1,
    })),
  });
}

function limitAsRatio({ ratio, plus = 0, over = Infinity }: Limit, reference: number): number {
  return Math.min(ratio + plus / reference, 1 + over / reference);
}

function limitPlot(series: LimitResults['series']): string {
  return barChart({
    title: 'How fast this machine brings images to its disk, and what that depends on',
    subtitle: 'MB/s of the images\' compressed layers, longer is better',
    bars: series.flatMap(({ name, points }, at) => points.map(point => ({
      name: `${name.replace(/-/g, ' ')}: ${point.name}`,
      value: rate(point),
      label: `${rate(point).toFixed(0)} MB/s`,
      colour: at % 2 === 0 ? 0 : 3,
    }))),
  });
}

function machineInWords({ cores, processor, memoryGiB, kernel, containerd, kubelet, loadBefore }: Record<string, string | number>): string {
  return `${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, containerd ${containerd}, kubelet ${kubelet}; load before: ${loadBefore}.`;
}

export function flameInWords({ seconds, shares }: Flame): string {
  const parts = Object.entries(shares).map(([kind, share]) => `${(100 * share).toFixed(0)} % ${kind}`);
  return `${seconds.toFixed(1)} s of one core's time in containerd: ${parts.join(', ')}.`;
}

function rowsTable(rows: Result[]): string {
  return table(['', 'what', 'held against', 'ratio', 'must be', 'medians'], rows.map(({ name, what, against, ratio, limit, reached, samples, unit }) => {
    const medians = Object.entries(samples).map(([of, values]) => `${of} ${figure(median(values))}`).join(', ');
    return [`\`${name}\``, what, against, reached ? `${ratio.toFixed(3)}×` : `**${ratio.toFixed(3)}×**`, `≤ ${allowed(limit, unit)}`, `${medians} (${unit})`];
  }));
}

function seriesTable({ name, what, points }: LimitResults['series'][number]): string {
  const rows = points.map(point => [point.name, `${median(point.seconds).toFixed(2)} s`, `${rate(point).toFixed(0)} MB/s`]);
  return `\`${name}\`: ${what}\n\n${table(['', 'median', 'rate'], rows)}`;
}
