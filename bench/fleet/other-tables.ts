import { pushCost, reconcileCost } from './cost';
import { FAST, FLEETS, IMAGE, PRESENT_SECONDS, REPORT_BYTES, SLOW, windowOf } from './figures';
import type { Network, NodeFigures } from './fleet';
import { NAT_GATEWAY, S3_GATEWAY_ENDPOINT } from './fleet';
import { churn, scaleOut, simulateJoins } from './joins';
import { Random } from './random';
import { simulateReconcile } from './reconcile';
import { count, dollars, seconds, several, table } from './words';
import type { LineChart } from '../plot/line-chart';
import { quantile } from '../statistics';

const ROUTES: [string, Network][] = [
  ['S3 gateway endpoint', S3_GATEWAY_ENDPOINT],
  ['NAT, 100 Gbit/s', NAT_GATEWAY],
  ['NAT, 5 Gbit/s', { ...NAT_GATEWAY, sharedMegabytesPerSecond: 625 }],
];

function storm(nodes: number, setting: string, startDelaySeconds: number, missing = false) {
  return simulateReconcile({
    seed: 1,
    nodes,
    maxConcurrency: windowOf(setting, nodes),
    ramp: 'acknowledged',
    startDelaySeconds,
    repositories: 1,
    presentSeconds: PRESENT_SECONDS,
    missing: missing ? IMAGE : undefined,
    node: FAST,
    network: S3_GATEWAY_ENDPOINT,
  });
}

/** A reconcile of the whole fleet, with and without the start delay. */
export function storms(): string {
  const rows = [100, 1_000, 10_000].flatMap(nodes => ([[0, 'percent(100)'], [120, 'percent(100)'], [120, 'nodes(500)']] as const).map(([delay, setting]) => {
    const { done, failed, throttled, peak } = storm(nodes, setting, delay);
    const { done: pulled, peak: peakOfPulls } = storm(nodes, setting, delay, true);
    return [count(nodes), delay === 0 ? 'none' : `up to ${delay} s`, `\`${setting}\``, seconds(done.at(-1)), count(peak.describe), count(throttled), count(failed), seconds(pulled.at(-1)), count(peakOfPulls.token)];
  }));
  return table(['nodes', 'start delay', 'window', 'last node done', 'DescribeImages a second', 'throttled', 'gave up', 'with 1 GB missing everywhere', 'tokens a second'], rows);
}

export function plotOfStorms(): LineChart {
  const nodes = 10_000;
  const every = 5;
  const points = (delay: number) => {
    const { describeAsked } = storm(nodes, 'percent(100)', delay);
    return Array.from({ length: 160 / every }, (_, at): [number, number] => {
      const requests = Array.from({ length: every }, (__, second) => describeAsked.get(at * every + second) ?? 0);
      return [at * every, requests.reduce((sum, each) => sum + each, 0) / every];
    });
  };
  return {
    title: 'A reconcile of 10,000 nodes: DescribeImages that ECR is asked for',
    x: { label: 'seconds since the schedule', scale: 'linear', ticks: [0, 30, 60, 90, 120, 150] },
    y: { label: 'requests a second', scale: 'linear', ticks: [0, 250, 500, 750, 1_000] },
    series: [{ name: 'no start delay', points: points(0) }, { name: 'up to 120 s', points: points(120) }],
    limits: [{ name: 'what we assume ECR gives', value: 100 }],
  };
}

function joins(nodes: number, within: number, network: Network, node: NodeFigures = FAST) {
  return simulateJoins({ seed: 1, booted: scaleOut(new Random(1), nodes, within), image: IMAGE, node, network });
}

/** Nodes that Karpenter brings within a minute. */
export function scaleOuts(): string {
  return table(['new nodes within a minute', ...ROUTES.map(([name]) => name)], [10, 100, 1_000].map(nodes => [count(nodes), ...ROUTES.map(([, network]) => {
    const { cold, failed } = joins(nodes, 60, network);
    return `${several([0.5, 0.95, 1].map(share => quantile(cold, share)))}${failed > 0 ? `, ${failed} gave up` : ''}`;
  })]));
}

export function plotOfScaleOut(): LineChart {
  const nodes = 1_000;
  return {
    title: '1,000 new nodes within a minute: how long each is cold, 1 GB',
    x: { label: 'seconds from a node that could pull to one that has it', scale: 'log', ticks: [5, 10, 30, 100, 300, 1_000, 2_000] },
    y: { label: 'nodes', scale: 'linear', ticks: [0, 20, 40, 60, 80, 100], format: value => `${value} %` },
    series: ROUTES.map(([name, network]) => {
      const { cold } = joins(nodes, 60, network);
      return { name, points: Array.from({ length: 51 }, (_, at): [number, number] => [quantile(cold, at / 50), at * 2]) };
    }),
  };
}

/** Fleets whose nodes come and go. */
export function churns(): string {
  const hours = 24;
  return table(['nodes', 'each replaced every', 'joins an hour', 'of a node\'s life without the image', 'GB a day', 'a day through NAT'],
    [100, 1_000, 10_000].flatMap(nodes => [6, 24, 168].map(every => {
      const { cold } = simulateJoins({ seed: 1, booted: churn(new Random(1), nodes, every, hours), image: IMAGE, node: SLOW, network: NAT_GATEWAY });
      const coldShare = cold.reduce((sum, each) => sum + each, 0) / (nodes * hours * 3600);
      const gigabytes = cold.length * IMAGE.megabytes / 1000;
      const { traffic } = pushCost({ nodes: cold.length, gigabytes: IMAGE.megabytes / 1000, route: 'nat-gateway', prefetchers: 0, reportBytes: 0 });
      return [count(nodes), `${every} h`, count(cold.length / hours), `${(coldShare * 100).toFixed(2)} %`, count(gigabytes), dollars(traffic)];
    })));
}

/** The bill. */
export function costs(): string {
  return table(['nodes', 'a push of 1 GB, S3 gateway endpoint', 'a push of 1 GB, NAT gateway', 'a push of 10 GB, NAT gateway', 'a month of reconciles'], FLEETS.map(nodes => {
    const push = (gigabytes: number, route: 's3-gateway-endpoint' | 'nat-gateway') =>
      dollars(pushCost({ nodes, gigabytes, route, prefetchers: 1, reportBytes: REPORT_BYTES }).total);
    return [count(nodes), push(1, 's3-gateway-endpoint'), push(1, 'nat-gateway'), push(10, 'nat-gateway'), dollars(reconcileCost(nodes, 30, REPORT_BYTES))];
  }));
}
