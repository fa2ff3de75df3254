import { CASES, FAULTS, GATE_CASES } from './cases';
import { bootWithoutGate } from './gate-scene';
import type { Inventory } from './left-behind';
import { leftBehind, takeInventory } from './left-behind';
import { on } from './node-scene';
import type { Row } from './run-case';
import { runCase } from './run-case';
import { runGateCase } from './run-gate-case';
import { Ground, Scene } from './scene';
import { keep, render, toRow } from './table';
import type { NodeOptions } from '../../testbed/engines';
import { missingForGateNodes } from '../../testbed/engines';
import { onRealNodes } from '../nodes/real-nodes';

jest.setTimeout(600_000);

const GROUNDS: Record<string, NodeOptions> = { usual: {}, small: { imageDiskMegabytes: 600 } };

onRealNodes('faults', bed => {
  const rows: Row[] = [];
  const grounds = new Map<string, Promise<Ground>>();

  function ground(name: string): Promise<Ground> {
    if (!grounds.has(name)) {
      grounds.set(name, Ground.boot(bed, `faults-${name}`, GROUNDS[name]));
    }
    return grounds.get(name)!;
  }

  async function add(fault: string, running: Promise<Row>): Promise<void> {
    const row = await running.catch((error: Error) => {
      // Jest says it at the end of the file only.
      process.stderr.write(`FAILED: ${fault}: ${error.message}\n`);
      throw error;
    });
    rows.push(row);
    process.stderr.write(`${toRow(row)}\n`);
  }

  afterAll(() => {
    if (rows.length > 0) {
      process.stderr.write(`${render(rows)}\n`);
    }
    keep(rows, FAULTS);
  });

  test.each(CASES.map((one, at): [string, typeof one, string] => [one.fault, one, `fault-${at + 1}`]))('%s', async (_, one, repository) => {
    const scene = await Scene.set(bed, await ground(one.ground ?? 'usual'), repository, one.seconds ?? 300, one.props);
    await add(one.fault, runCase(one, scene));
  });

  const missing = missingForGateNodes();
  if (missing.length > 0) {
    process.stderr.write(`faults are not tested at the boot gate, because ${missing.join('; ')}\n`);
  }
  (missing.length > 0 ? describe.skip : describe)('at the boot gate', () => {
    let without: Inventory;

    beforeAll(async () => {
      const node = await bootWithoutGate(bed, 'without-gate');
      without = await takeInventory(node);
      await node.stop();
    }, 120_000);

    test.each(GATE_CASES.map((one, at): [string, typeof one, string] => [one.fault, one, `gate-fault-${at + 1}`]))('%s', async (_, one, name) => {
      await add(one.fault, runGateCase(one, bed, name, without));
    });
  });

  // That nothing is left behind says something only because these are found.
  test.each<[string, string, string]>([
    ['process sleep 1234', 'sleep 1234 </dev/null >/dev/null 2>&1 & echo $! >/tmp/pid', 'kill $(cat /tmp/pid) && rm /tmp/pid'],
    ['lock /run/cdk-eks-image-prefetcher/lock is held',
      'mkdir -p /run/cdk-eks-image-prefetcher && exec flock /run/cdk-eks-image-prefetcher/lock sleep 1234 </dev/null >/dev/null 2>&1 & echo $! >/tmp/pid',
      'kill $(cat /tmp/pid) $(pgrep -P $(cat /tmp/pid)) && rm /tmp/pid'],
    ['file /run/cdk-eks-image-prefetcher/gate.json', 'mkdir -p /run/cdk-eks-image-prefetcher && echo {} >/run/cdk-eks-image-prefetcher/gate.json',
      'rm /run/cdk-eks-image-prefetcher/gate.json'],
    ['file /tmp/anything', 'touch /tmp/anything', 'rm /tmp/anything'],
    ['lease stray', 'ctr --namespace k8s.io leases create --id stray', 'ctr --namespace k8s.io leases delete stray'],
    ['snapshot stray', 'ctr --namespace k8s.io snapshots prepare stray', 'ctr --namespace k8s.io snapshots rm stray'],
  ])('%s would be found', async (line, leave, clear) => {
    const { node } = await ground('usual');
    const before = await takeInventory(node);
    await on(node, leave);
    try {
      expect(await leftBehind(node, before)).toContainEqual(expect.stringContaining(line));
    } finally {
      await on(node, clear);
    }
    expect(await leftBehind(node, before)).toEqual([]);
  });
});
