import { whatIsSeen } from './seen';

test.each([
  ['a pull', [{ outcome: 'pulled' }, { summary: { moment: 'push' } }], { Pulls: 1, Reports: 1 }, []],
  ['a failure', [{ outcome: 'failed' }, { outcome: 'pulled' }, { summary: { moment: 'reconcile' } }], { Failures: 1, Pulls: 1, Reports: 1 }, ['failures']],
  ['a refusal', [{ outcome: 'refused' }, { summary: { moment: 'push' } }], { Refusals: 1, Reports: 1 }, []],
  ['images that are there', [{ outcome: 'present' }, { summary: { moment: 'reconcile' } }], { Reports: 1 }, []],
  ['a gate in time', [{ summary: { moment: 'gate' } }], { Reports: 1 }, []],
  ['a gate that timed out', [{ summary: { moment: 'gate', timedOut: true } }], { Reports: 1, GateTimeouts: 1 }, ['gate time-outs']],
  ['a push that timed out', [{ summary: { moment: 'push', timedOut: true } }], { Reports: 1 }, []],
  ['nothing', [], {}, ['missing reports']],
])('%s is seen', (_, lines, metrics, alarms) => {
  expect(whatIsSeen(lines)).toEqual({ metrics, alarms });
});
