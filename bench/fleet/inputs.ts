import * as fs from 'node:fs';
import * as path from 'node:path';
import { HOLD_SECONDS, IMAGE } from './figures';
import limits from './limits.json';
import measured from './measured.json';
import prices from './prices.json';
import { count, dollars, seconds, table } from './words';
import type { Result } from '../row';

const RESULTS = path.join(__dirname, '../results.json');

/** What the tables rest on, each with where it is from. */
export function inputs(): string {
  const { fast, slow, reconcile } = measured;
  const quota = (name: string, { perSecond, source }: { perSecond: number; source: string }) => [`ECR's ${name}`, `${count(perSecond)} a second`, source];
  const { DescribeImages, GetAuthorizationToken, BatchGetImage, GetDownloadUrlForLayer } = limits.ecr;
  const { natGatewayMegabytesPerSecond: nat, nodeMegabytesPerSecond: node } = limits.network;
  return table(['figure', 'value', 'from'], [
    ['what the node program adds to a pull', seconds(fast.programSeconds.value), `\`${fast.programSeconds.from}\` (${measured.machine})`],
    ['a fast node\'s pull and unpacking', `${count(1 / fast.unpackSecondsPerMegabyte.value)} MB/s`, `\`${fast.unpackSecondsPerMegabyte.from}\``],
    ['a slow node\'s', `${count(1 / slow.unpackSecondsPerMegabyte.value)} MB/s`, slow.unpackSecondsPerMegabyte.from],
    ['how much one node differs from the next', `at least ${fast.spread.value * 100} %`, `\`${fast.spread.from}\``],
    ['a run that finds everything in place', seconds(reconcile.presentSeconds.value), `\`${reconcile.presentSeconds.from}\``],
    ['its report', `${reconcile.reportBytes.value} B`, `\`${reconcile.reportBytes.from}\``],
    ['the image', `${count(IMAGE.megabytes)} MB in ${IMAGE.layers} layers`, 'an example'],
    quota('GetAuthorizationToken', GetAuthorizationToken), quota('BatchGetImage', BatchGetImage),
    quota('GetDownloadUrlForLayer', GetDownloadUrlForLayer), quota('DescribeImages', DescribeImages),
    ['a NAT gateway', `${count(nat.value * 8 / 1000)} Gbit/s`, nat.source],
    ['a node\'s network', `${node.value * 8 / 1000} Gbit/s`, node.source],
    ['an unreachable node holds its place for', seconds(HOLD_SECONDS), 'TimeoutSeconds and `timeout`'],
    ['an Automation step', dollars(prices.automationStep.price), prices.automationStep.source],
    ['a GB through a NAT gateway', dollars(prices.natGigabyte.price), prices.natGigabyte.source],
    ['a GB into CloudWatch Logs', dollars(prices.logsGigabyte.price), prices.logsGigabyte.source],
  ]);
}

/** The simulation against real nodes. */
export function check(): string {
  const results = fs.existsSync(RESULTS) ? (JSON.parse(fs.readFileSync(RESULTS, 'utf8')) as { rows: Result[] }).rows : [];
  const row = results.find(({ name }) => name === 'fleet-of-eight');
  if (!row) {
    return 'Not yet held against real nodes: `npm run bench -- fleet-of-eight`.';
  }
  const errors = Object.entries(row.figures!).filter(([name]) => name.startsWith('error')).map(([name, value]) => `${Number(value) > 0 ? '+' : ''}${value} % ${/at \S+ %/.exec(name)![0]}`);
  return 'Held against eight real nodes, three at a time (containerd, kubelet, node program; each on its own way of 6 MB/s; `npm run bench -- fleet-of-eight`): knowing '
    + `only how long one node alone takes, the simulation is off by ${errors.join(', ')} of the nodes.`;
}
