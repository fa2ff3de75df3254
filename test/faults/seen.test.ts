import { logGroupOf, whatIsSeen } from './seen';
import { ImagePrefetcher } from '../../src';
import { Deployment } from '../../testbed/deployment';
import { newCluster, newStack } from '../fixture';
import { repository } from '../nodes/real-nodes';

const stack = newStack();
const cluster = newCluster(stack);
const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster, nodegroups: [cluster.addNodegroupCapacity('Gpu')], repositories: [repository(stack, 'app')],
});
prefetcher.addAlarms();
const { template } = new Deployment(stack, { matches: () => false }).plane;
const owner = prefetcher.owner;

test.each<[string, object[], Record<string, number>, string[], string[]]>([
  ['a pull', [{ outcome: 'pulled' }, { summary: { moment: 'push' } }], { Pulls: 1, Reports: 1 }, [], []],
  ['a failure', [{ outcome: 'failed', reason: 'x' }, { outcome: 'pulled' }, { summary: { moment: 'reconcile' } }],
    { Failures: 1, Pulls: 1, Reports: 1 }, ['Failures'], ['1 × x']],
  ['a refusal', [{ outcome: 'refused', reason: 'full' }, { summary: { moment: 'push' } }], { Refusals: 1, Reports: 1 }, ['Refusals'], ['1 × full']],
  ['a run that an error ended', [{ summary: { moment: 'push', error: 'no curl' } }], { Failures: 1, Reports: 1 }, ['Failures'], ['1 × no curl']],
  ['a gate in time', [{ summary: { moment: 'gate' } }], { Reports: 1 }, [], []],
  ['a gate that timed out', [{ summary: { moment: 'gate', timedOut: true } }], { Reports: 1, GateTimeouts: 1 }, ['GateTimeouts'], []],
  ['a push that timed out', [{ summary: { moment: 'push', timedOut: true } }], { Reports: 1 }, [], []],
  ['nothing', [], {}, ['MissingReports'], []],
])('%s is seen', (_, lines, metrics, alarms, answers) => {
  const logged = lines.map((line: any, at) => ({
    timestamp: at, stream: 'i-1', line: line.summary ? { summary: { owner, ...line.summary } } : { moment: 'push', owner, image: 'a:1', ...line },
  }));
  expect(logGroupOf(template)).toBeTruthy();
  expect(whatIsSeen(template, logged)).toEqual({ metrics, alarms, answers });
});
