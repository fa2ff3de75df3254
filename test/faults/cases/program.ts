import { every } from './rules';
import { runsOfEvent } from '../../nodes/real-nodes';
import type { FaultCase } from '../fault-case';
import { isLayer } from '../node-scene';
import type { Scene } from '../scene';

const stalled = ({ registry }: Scene) => { registry.fault = every(isLayer, { kind: 'stall', afterBytes: 100_000 }); };

/** Sends a signal in the middle of a pull; then the registry goes on. */
const signal = (name: string, whom: (scene: Scene) => { pid: number }[]) => async (scene: Scene) => {
  await scene.inTheMiddle();
  await scene.on(`kill -${name} ${whom(scene).map(({ pid }) => pid).join(' ')}`);
  scene.ground.calm();
};

/** The same event as often as that, at once. */
const atOnce = (times: number) => async (scene: Scene) => {
  const events = Array.from({ length: times }, () => scene.deployment.plane.putEvent(scene.pushed.event));
  return (await Promise.all(events)).flatMap(runsOfEvent);
};

function pulledOnce(scene: Scene): void {
  const got = scene.registry.requests.filter(request => request.method === 'GET' && isLayer(request)).map(({ path }) => path);
  expect(got.length).toBeGreaterThan(0);
  expect(got).toEqual([...new Set(got)]);
}

/** The node program and its curl are killed; several run at once. */
export const PROGRAM: FaultCase[] = [
  {
    fault: 'The node program is ended (TERM) in the middle of a pull',
    inject: stalled,
    meanwhile: signal('TERM', scene => scene.programs()),
    status: 'Failed',
    outcome: 'failed',
    says: /error: stopped by SIGTERM/,
  },
  {
    fault: 'The node program is killed (KILL) in the middle of a pull',
    inject: stalled,
    meanwhile: signal('KILL', scene => scene.programs()),
    // So the agent reports the exit code 137.
    status: 'ExecutionTimedOut',
    says: /no report/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'curl is ended (TERM) in the middle of a pull',
    inject: stalled,
    meanwhile: signal('TERM', scene => scene.pulls()),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'curl is killed (KILL) in the middle of a pull',
    inject: stalled,
    meanwhile: signal('KILL', scene => scene.pulls()),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'Two runs at once',
    run: atOnce(2),
    status: 'Success',
    outcome: 'pulled',
    expect: (runs, scene) => {
      expect(runs.map(({ outcomes }) => outcomes[scene.pushed.reference]).sort()).toEqual(['present', 'pulled']);
      pulledOnce(scene);
    },
  },
  {
    fault: 'Ten runs at once',
    run: atOnce(10),
    status: 'Success',
    outcome: 'pulled',
    expect: (runs, scene) => {
      expect(runs.map(({ outcomes }) => outcomes[scene.pushed.reference]).sort()).toEqual([...Array(9).fill('present'), 'pulled']);
      pulledOnce(scene);
    },
  },
];
