import type { ImageFigures, NodeFigures } from './fleet';
import measured from './measured.json';

const node = ({ programSeconds, unpackSecondsPerMegabyte, spread }: typeof measured.fast): NodeFigures =>
  ({ programSeconds: programSeconds.value, unpackSecondsPerMegabyte: unpackSecondsPerMegabyte.value, spread: spread.value });

/** As measured on a machine of ours with its disk to itself. */
export const FAST: NodeFigures = node(measured.fast);
/** As AWS's sample has it on nodes with default disks. */
export const SLOW: NodeFigures = node(measured.slow);

export const PRESENT_SECONDS = measured.reconcile.presentSeconds.value;
export const REPORT_BYTES = measured.reconcile.reportBytes.value;

export const IMAGE: ImageFigures = { megabytes: 1000, layers: 10 };

/** Delivery (`TimeoutSeconds` of SendCommand, 10 minutes) and execution (`timeout`, an hour): what an unreachable node may hold its place. */
export const HOLD_SECONDS = 600 + 3600;

/** The fleets that the tables are about. */
export const FLEETS = [2, 10, 100, 1_000, 10_000];
/** Settings of maxConcurrency that the tables compare. */
export const SETTINGS = ['nodes(50)', 'nodes(100)', 'nodes(500)', 'nodes(1000)', 'percent(10)', 'percent(50)', 'percent(100)'];
export const DEFAULT = 'nodes(500)';

/** How many nodes a setting is, as Systems Manager works it out. */
export function windowOf(setting: string, nodes: number): number {
  const [, kind, value] = /^(nodes|percent)\((\d+)\)$/.exec(setting) ?? [];
  if (!kind) {
    throw new Error(`a setting is nodes(N) or percent(N), got '${setting}'`);
  }
  return kind === 'nodes' ? Number(value) : Math.max(1, Math.floor(nodes * Number(value) / 100));
}
