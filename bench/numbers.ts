/** What docs/numbers.md and its plot say, made of the committed results: `npm run bench` and `npm run bench:limit` end with it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { table } from './fleet/words';
import { pageWith } from './generated';
import type { LimitResults } from './limit/series';
import { rate } from './limit/series';
import { barChart } from './plot/bar-chart';
import type { Limit, Result, Results } from './row';
import { median } from './statistics';
import { figure } from './words';

const RESULTS = path.join(__dirname, 'results.json');
const LIMIT_RESULTS = path.join(__dirname, 'limit/results.json');
const PLOT = path.join(__dirname, '../docs/images/bench.svg');

/** Files, and what they should contain. */
export function numbers(): Map<string, string> {
  const { machine, rows } = read<Results>(RESULTS);
  // Measured apart from the rows, and seldomer.
  const limit = fs.existsSync(LIMIT_RESULTS) ? read<LimitResults>(LIMIT_RESULTS) : { machine: {}, series: [] };
  return new Map([
    [PLOT, plot(rows)],
    pageWith('numbers.md', {
      'machine': () => machineInWords(machine),
      'rows': () => rowsTable(rows),
      'limit-machine': () => limit.series.length > 0 ? machineInWords(limit.machine) : '',
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
      limit: limit.ratio + (limit.plus ?? 0) / median(Object.values(samples)[1]),
      colour: reached ? 2 : 1,
    })),
  });
}

function machineInWords({ cores, processor, memoryGiB, kernel, containerd, kubelet, loadBefore }: Record<string, string | number>): string {
  return `${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, containerd ${containerd}, kubelet ${kubelet}; load before: ${loadBefore}.`;
}

function rowsTable(rows: Result[]): string {
  return table(['', 'what', 'held against', 'ratio', 'must be', 'medians'], rows.map(({ name, what, against, ratio, limit, reached, samples, unit }) => {
    const medians = Object.entries(samples).map(([of, values]) => `${of} ${figure(median(values))}`).join(', ');
    return [`\`${name}\``, what, against, reached ? `${ratio.toFixed(3)}×` : `**${ratio.toFixed(3)}×**`, allowed(limit, unit), `${medians} (${unit})`];
  }));
}

function allowed({ ratio, plus }: Limit, unit: string): string {
  return `≤ ${ratio}×${plus ? ` + ${plus} ${unit}` : ''}`;
}

function seriesTable({ name, what, points }: LimitResults['series'][number]): string {
  const rows = points.map(point => [point.name, `${median(point.seconds).toFixed(2)} s`, `${rate(point).toFixed(0)} MB/s`]);
  return `\`${name}\`: ${what}\n\n${table(['', 'median', 'rate'], rows)}`;
}
