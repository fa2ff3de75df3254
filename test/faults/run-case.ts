import type { FaultCase } from './fault-case';
import { leftBehind, stillRunning, takeInventory } from './left-behind';
import type { Scene } from './scene';
import type { Seen } from './seen';
import { saidBy, whatIsSeen } from './seen';
import type { Run } from '../nodes/real-nodes';

/** What an image that was not brought sets off. */
const ALARM_OF: Record<string, string[]> = { failed: ['Failures'], refused: ['Refusals'] };

/** A row of the table. */
export interface Row extends Seen {
  readonly fault: string;
  readonly status: string;
  readonly said: string;
  /** From when the fault was gone until a run had brought the image, in seconds. */
  readonly recoveredAfter: number;
  /** The run that met the fault brought the image itself. */
  readonly sameRun: boolean;
  readonly left: string[];
  /** Of a boot gate: answers of the saved query `what-boot-gates-waited-for`. */
  readonly gates?: string[];
}

/** Injects the fault, runs, heals, runs again until the image is there, and looks for what was left behind. */
export async function runCase(one: FaultCase, scene: Scene): Promise<Row> {
  const { moment = 'push' } = one;
  await scene.push('v1', one.megabytes);
  const before = await takeInventory(scene.node);
  const began = Date.now();
  const heal = await one.inject?.(scene);
  let runs: Run[];
  try {
    const running = one.run?.(scene) ?? scene.run(moment).then(run => [run]);
    // Both must have ended before anything is judged or healed.
    const [ran, acted] = await Promise.allSettled([running, one.meanwhile?.(scene)]);
    if (acted.status === 'rejected') {
      throw acted.reason;
    }
    if (ran.status === 'rejected') {
      throw ran.reason;
    }
    runs = ran.value;
    expect(await stillRunning(scene.node, before)).toEqual([]);
  } finally {
    scene.ground.calm();
    await heal?.();
  }
  const met = (Date.now() - began) / 1000;
  const log = await scene.log();
  const said = [...new Set(runs.map(saidBy))].join(' | ');
  const statuses = [...new Set(runs.map(({ status }) => status))].join(', ');
  if (statuses !== one.status || !(one.says ?? /^/).test(said)) {
    throw new Error(`expected ${one.status}${one.says ? `, saying ${one.says}` : ''}; got ${statuses}, saying: ${said}`);
  }
  const seen = whatIsSeen(scene.deployment.plane.template, log);
  expect(seen.alarms).toEqual(one.alarms ?? ALARM_OF[one.outcome ?? ''] ?? []);
  // The query answers where something was not brought, and only there.
  expect(seen.answers.length > 0).toBe((seen.metrics.Failures ?? 0) + (seen.metrics.Refusals ?? 0) > 0);
  if (one.outcome !== undefined) {
    expect(runs.map(run => run.outcomes[scene.pushed.reference])).toContain(one.outcome);
  }
  await one.expect?.(runs, scene);

  const healed = Date.now();
  const sameRun = await scene.node.imageStatus(scene.pushed.reference) !== undefined;
  if (!sameRun) {
    const again = await scene.run(moment);
    expect({ status: again.status, said: saidBy(again) }).toEqual({ status: 'Success', said: expect.stringContaining('pulled') });
  }
  expect(await scene.node.imageStatus(scene.pushed.reference)).toMatchObject({ pinned: true });
  const recoveredAfter = sameRun ? met : (Date.now() - healed) / 1000;
  const lines = await leftBehind(scene.node, before, one.leaves?.[0]);
  expect(lines.filter(line => !one.leaves?.[0].test(line))).toEqual([]);
  const left = lines.length > 0 ? [one.leaves![1]] : [];
  return { fault: one.fault, status: one.status, said, ...seen, recoveredAfter, sameRun, left };
}
