import { pushCost } from './cost';
import { DEFAULT, FAST, FLEETS, HOLD_SECONDS, IMAGE, SETTINGS, SLOW, windowOf } from './figures';
import type { Network, NodeFigures } from './fleet';
import { NAT_GATEWAY, S3_GATEWAY_ENDPOINT } from './fleet';
import type { PushResult, PushScenario } from './push';
import { secondsUntil, simulatePush } from './push';
import { count, dollars, several, seconds, table } from './words';
import type { LineChart } from '../plot/line-chart';
import { median } from '../statistics';

const SEEDS = [...Array(9).keys()];

const BASE = { ramp: 'acknowledged', image: IMAGE, node: FAST, network: S3_GATEWAY_ENDPOINT } as const;

/** Several tables ask the same. */
const known = new Map<string, PushResult[]>();

function push(setting: string, nodes: number, changed: Partial<PushScenario> = {}): PushResult[] {
  const scenario = { ...BASE, nodes, maxConcurrency: windowOf(setting, nodes), ...changed };
  const key = JSON.stringify(scenario);
  const results = known.get(key) ?? SEEDS.map(seed => simulatePush({ ...scenario, seed }));
  known.set(key, results);
  return results;
}

/** The median of what the seeds give; never, when it is never in most of them. */
function until(share: number, results: PushResult[], reachable: number): number | undefined {
  const value = median(results.map(result => secondsUntil(share, result, reachable) ?? 1e12));
  return value > 1e9 ? undefined : value;
}

function times(results: PushResult[], reachable: number): string {
  return several([0.5, 0.95, 1].map(share => until(share, results, reachable)));
}

const most = (results: PushResult[], of: (result: PushResult) => number) => Math.max(...results.map(of));

/** The sentence to remember. */
export function inShort(): string {
  const all = (nodes: number, changed: Partial<PushScenario>) => seconds(until(1, push(DEFAULT, nodes, changed), nodes));
  const fullNat = { ...NAT_GATEWAY, sharedMegabytesPerSecond: 625 };
  const { traffic } = pushCost({ nodes: 1_000, gigabytes: 1, route: 'nat-gateway', prefetchers: 1, reportBytes: 0 });
  return `With the default, 1,000 nodes have an image of 1 GB ${all(1_000, {})} (fast disks) to ${all(1_000, { node: SLOW })} (slow ones) after its `
    + `push, 10,000 nodes ${all(10_000, {})} to ${all(10_000, { node: SLOW })}. Through a NAT gateway that gives its first 5 Gbit/s, 1,000 nodes `
    + `take ${all(1_000, { network: fullNat })}, and each push costs ${dollars(traffic)}.`;
}

/** Until 50, 95 and 100 % have it. */
export function howLong(node: NodeFigures): string {
  const settings = ['nodes(100)', 'nodes(500)', 'nodes(1000)', 'percent(50)', 'percent(100)'];
  return table(['nodes', ...settings.map(setting => `\`${setting}\``)],
    FLEETS.map(nodes => [count(nodes), ...settings.map(setting => times(push(setting, nodes, { node }), nodes))]));
}

/** What ECR sees of a push to the largest fleet. */
export function whatEcrSees(): string {
  const nodes = 10_000;
  return table(['`maxConcurrency`', 'tokens a second, of 500', 'manifests, of 2,000', 'layers, of 3,000', 'requests throttled', 'nodes that gave up'],
    SETTINGS.map(setting => {
      const results = push(setting, nodes);
      const peak = (of: 'token' | 'manifest' | 'layer') => count(most(results, result => result.peak[of]));
      return [`\`${setting}\``, peak('token'), peak('manifest'), peak('layer'), count(most(results, ({ throttled }) => throttled)), count(most(results, ({ failed }) => failed))];
    }));
}

/** Behind one gateway. */
export function behindNat(): string {
  const rows: [string, Network][] = [
    ['S3 gateway endpoint', S3_GATEWAY_ENDPOINT],
    ['NAT gateway, 100 Gbit/s', NAT_GATEWAY],
    ['NAT gateway, 5 Gbit/s', { ...NAT_GATEWAY, sharedMegabytesPerSecond: 625 }],
  ];
  const cell = (nodes: number, setting: string, network: Network) => {
    const results = push(setting, nodes, { network });
    return `${seconds(until(1, results, nodes))} (${seconds(median(results.map(({ slowestPull }) => slowestPull)))})`;
  };
  const settings = ['nodes(50)', 'nodes(100)', 'nodes(500)', 'percent(100)'];
  return table(['layers come through', 'nodes', ...settings.map(setting => `\`${setting}\``)],
    rows.flatMap(([name, network]) => [100, 1_000].map(nodes => [name, count(nodes), ...settings.map(setting => cell(nodes, setting, network))])));
}

/** With nodes that Systems Manager knows and cannot reach. */
export function unreachable(): string {
  const settings = ['nodes(100)', 'nodes(500)', 'nodes(1000)', 'percent(50)', 'percent(100)'];
  return table(['nodes', 'of them unreachable', ...settings.map(setting => `\`${setting}\``)],
    [100, 1_000, 10_000].flatMap(nodes => [0.01, 0.05, 0.2].map(share => [count(nodes), `${share * 100} %`, ...settings.map(setting => {
      const results = push(setting, nodes, { node: SLOW, unreachable: share, holdSeconds: HOLD_SECONDS, expires: HOLD_SECONDS });
      const left = median(results.map(({ notSent }) => notSent));
      return `${seconds(until(0.95, results, nodes * (1 - share)))}${left > 0 ? `, ${count(left)} left out` : ''}`;
    })])));
}

/** How much of it is the delivery time-out. */
export function timeouts(): string {
  const nodes = 10_000;
  const cell = (unreachableShare: number, holdSeconds: number) =>
    seconds(until(0.95, push(DEFAULT, nodes, { node: SLOW, unreachable: unreachableShare, holdSeconds }), nodes * (1 - unreachableShare)));
  return table(['an unreachable node holds its place for', '1 % of them', '5 %', '20 %'],
    [60, 600, 3_600, HOLD_SECONDS, 7_200].map(hold => [seconds(hold), ...[0.01, 0.05, 0.2].map(share => cell(share, hold))]));
}

/** The two readings of how Systems Manager gets up to its speed. */
export function ramps(): string {
  return table(['nodes', 'after each that acknowledged', 'after each that completed'],
    FLEETS.map(nodes => [count(nodes), ...(['acknowledged', 'completed'] as const).map(ramp => times(push(DEFAULT, nodes, { ramp }), nodes))]));
}

/** Fleet and setting against the time until 95 % have it. */
export function plotOfFleets(): LineChart {
  const fleets = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
  return {
    title: 'From the push until 95 % of the nodes have 1 GB',
    x: { label: 'nodes', scale: 'log', ticks: [2, 10, 100, 1_000, 10_000] },
    y: { label: 'time', scale: 'log', ticks: [5, 10, 30, 60, 300, 1_200, 3_600], format: value => value < 60 ? `${value} s` : `${value / 60} min` },
    series: ['nodes(50)', 'nodes(100)', 'nodes(500)', 'percent(10)', 'percent(50)', 'percent(100)'].map(setting => ({
      name: setting,
      points: fleets.map((nodes): [number, number] => [nodes, until(0.95, push(setting, nodes), nodes)!]),
    })),
  };
}

/** The largest fleet over time. */
export function plotOfArrivals(): LineChart {
  const nodes = 10_000;
  const shares = [0.001, 0.01, ...Array.from({ length: 50 }, (_, at) => (at + 1) / 50)];
  return {
    title: '10,000 nodes, 1 GB, no bottleneck but ECR: who has it when',
    x: { label: 'seconds since the push', scale: 'log', ticks: [5, 10, 30, 100, 300, 1_000, 2_000] },
    y: { label: 'nodes that have it', scale: 'linear', ticks: [0, 20, 40, 60, 80, 100], format: value => `${value} %` },
    series: SETTINGS.filter(setting => setting !== 'percent(10)').map(setting => {
      const [result] = push(setting, nodes);
      return {
        name: setting,
        points: shares.flatMap((share): [number, number][] => {
          const at = secondsUntil(share, result, nodes);
          return at === undefined ? [] : [[at, share * 100]];
        }),
      };
    }),
  };
}
