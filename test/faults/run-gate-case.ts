import type { GateCase } from './gate-case';
import { GATE, GateScene, MAX_WAIT_SECONDS } from './gate-scene';
import type { Inventory } from './left-behind';
import { leftBehind, stillRunning } from './left-behind';
import type { Row } from './run-case';
import { gatesSeen, saidAtGate, saidBy, whatIsSeen } from './seen';
import type { Bed } from '../nodes/real-nodes';

/** What the user data itself writes. */
const OF_USER_DATA = String.raw`^file /etc/systemd/system/(image-prefetcher-boot-gate\.service|kubelet\.service\.d/10-image-prefetcher-boot-gate\.conf)$`;

/** Within which seconds the kubelet must start. A gate that waits ends a little before its bound, and reports. */
const OPENS: Record<GateCase['opens'], readonly [number, number]> = {
  atOnce: [0, MAX_WAIT_SECONDS / 2], withTheImage: [0, MAX_WAIT_SECONDS], atItsBound: [MAX_WAIT_SECONDS / 2, MAX_WAIT_SECONDS + 7],
};

/**
 * Boots a node that meets the fault at its gate, has it join, and looks for what was left behind, beside what is on a node that
 * boots without a gate.
 */
export async function runGateCase(one: GateCase, bed: Bed, name: string, without: Inventory): Promise<Row> {
  const scene = await GateScene.set(bed, name, one);
  try {
    one.inject?.(scene);
    await scene.boot(name, one);
    const { node, pushed, deployment: { plane } } = scene;
    expect(await stillRunning(node, without)).toEqual([]);
    const [gate, kubelet] = [await node.service(GATE), await node.service('kubelet')];
    expect(kubelet.state).toBe('active');
    expect(kubelet.processStarted).toBeGreaterThanOrEqual(gate.processEnded);
    const waited = (gate.processEnded - gate.processStarted) / 1000;
    const [least, most] = OPENS[one.opens];
    expect(waited).toBeGreaterThanOrEqual(least);
    expect(waited).toBeLessThan(most);
    const said = saidAtGate(await node.journal(GATE));
    expect(said).toMatch(one.says);
    const sameRun = await node.imageStatus(pushed.reference) !== undefined;
    expect(sameRun).toBe(one.opens === 'withTheImage');

    const met = one.lasts && await scene.join();
    const before = await scene.log();
    scene.ways.calm();
    await one.heal?.(scene);
    const healed = Date.now();
    const joined = await scene.join();
    expect({ status: joined.status, said: saidBy(joined) }).toEqual({ status: 'Success', said: expect.stringContaining(sameRun ? 'present' : 'pulled') });
    const recoveredAfter = sameRun ? waited : (Date.now() - healed) / 1000;
    expect(await node.imageStatus(pushed.reference)).toMatchObject({ pinned: true });

    const log = met ? before : await scene.log();
    const seen = whatIsSeen(plane.template, log);
    expect(seen.alarms).toEqual(one.alarms);
    const gates = gatesSeen(plane.template, log, said);
    // A gate that ran is reported, be it by the run that follows.
    expect(gates).toHaveLength(one.lasts ? 0 : 1);
    const [ofOthers, inWords] = one.leaves ?? [/^$/, ''];
    const expected = new RegExp(`${OF_USER_DATA}|${ofOthers.source}`);
    const lines = await leftBehind(node, without, expected);
    expect(lines.filter(line => !expected.test(line))).toEqual([]);
    const left = lines.some(line => ofOthers.test(line)) ? [inWords] : [];
    return {
      fault: one.fault,
      status: `the kubelet starts after ${waited.toFixed(0)} s`,
      said: [said, ...met ? [`joining: ${saidBy(met)}`] : []].join(' | '),
      ...seen,
      gates,
      recoveredAfter,
      sameRun,
      left,
    };
  } finally {
    await scene.node?.stop();
  }
}
