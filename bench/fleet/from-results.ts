import * as fs from 'node:fs';
import * as path from 'node:path';
import measured from './measured.json';
import type { Result } from '../row';
import { median } from '../statistics';

const FILE = path.join(__dirname, 'measured.json');

/** Gives the simulation the figures of one node that the benchmark measured; what it did not measure stays as it is. */
export function writeMeasured(rows: Result[], machine: Record<string, string | number>): void {
  fs.writeFileSync(FILE, `${JSON.stringify(measuredFrom(rows, machine), undefined, 2)}\n`);
}

export function measuredFrom(rows: Result[], machine: Record<string, string | number>): typeof measured {
  const result = structuredClone(measured);
  const program = rows.find(({ name }) => name === 'program');
  if (program) {
    const [all, pulls] = Object.values(program.samples);
    const megabytes = Number(program.figures!.megabytes);
    const programSeconds = rounded(Math.max(0, median(all.map((seconds, at) => seconds - pulls[at]))));
    const mean = pulls.reduce((sum, each) => sum + each, 0) / pulls.length;
    const deviation = Math.sqrt(pulls.reduce((sum, each) => sum + (each - mean) ** 2, 0) / pulls.length);
    result.machine = `${machine.cores} cores (${machine.processor}), registry on the loopback address, containerd ${machine.containerd}`;
    result.fast.programSeconds.value = result.slow.programSeconds.value = programSeconds;
    // From the loopback address the download is all but free.
    result.fast.unpackSecondsPerMegabyte.value = rounded(median(pulls) / megabytes);
    // Machines differ more than runs on one machine do.
    result.fast.spread.value = result.slow.spread.value = Math.max(0.15, rounded(deviation / mean));
  }
  const reconcile = rows.find(({ name }) => name === 'reconcile-seconds');
  if (reconcile) {
    result.reconcile.presentSeconds.value = rounded(median(Object.values(reconcile.samples)[0]));
    result.reconcile.reportBytes.value = Number(reconcile.figures!.reportBytes);
  }
  return result;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
