import * as fs from 'node:fs';
import { Fn } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Deployment } from '../../testbed/deployment';
import type { GateNode, PushedImage } from '../../testbed/engines';
import { missingForGateNodes } from '../../testbed/engines';
import { waitFor } from '../../testbed/engines/processes';
import type { Bed } from '../bed';
import { crictlPull, forget, settle } from '../bed';
import type { Row } from '../row';

const GATE = 'image-prefetcher-boot-gate';

interface Gates {
  readonly gate: number[];
  readonly pull: number[];
  readonly firstPod: number[];
  readonly laterPod: number[];
  /** Without a pull before it, the first pod of a kubelet that has just started. */
  readonly freshKubelet: number[];
  readonly firstReady: number[];
  readonly laterReady: number[];
  readonly dirtyMegabytes: number[];
}

/** Measured once: two rows say what it says. */
const measured = new WeakMap<Bed, Promise<Gates>>();

function gates(bed: Bed): Promise<Gates> {
  const known = measured.get(bed) ?? measure(bed);
  measured.set(bed, known);
  return known;
}

async function measure(bed: Bed): Promise<Gates> {
  const { deployment, userData } = await deployGated(bed);
  const pushed = await bed.pushLarge('gate');
  const found: Gates = { gate: [], pull: [], firstPod: [], laterPod: [], freshKubelet: [], firstReady: [], laterReady: [], dirtyMegabytes: [] };
  for (let round = 0; round < bed.sizes.rounds; round++) {
    await settle();
    const node = await bed.addGateNode(deployment, userData);
    try {
      await oneBoot(bed, node, pushed, found);
    } finally {
      await node.stop();
    }
  }
  return found;
}

/** The user data of a launch template that carries the gate. */
async function deployGated(bed: Bed): Promise<{ deployment: Deployment; userData: string }> {
  const userData = new ec2.MultipartUserData();
  const deployment = await bed.deploy('Gate', {
    then(stack, prefetcher) {
      prefetcher.addBootGate(userData);
      new ec2.CfnLaunchTemplate(stack, 'LaunchTemplate', { launchTemplateData: { userData: Fn.base64(userData.render()) } });
    },
  });
  const [{ properties }] = deployment.plane.template.resources('AWS::EC2::LaunchTemplate');
  return { deployment, userData: Buffer.from(properties.LaunchTemplateData.UserData, 'base64').toString() };
}

async function oneBoot(bed: Bed, node: GateNode, { reference }: PushedImage, found: Gates): Promise<void> {
  found.dirtyMegabytes.push(notWrittenYet());
  const first = await node.startPod(reference, { pull: true });
  if (first.pulled) {
    throw new Error('the boot gate should have brought the image, but the kubelet pulled it');
  }
  found.firstPod.push(first.startedMs);
  found.firstReady.push(first.ms);
  const { processStarted, processEnded } = await node.service(GATE);
  found.gate.push((processEnded - processStarted) / 1000);
  await node.removePods();
  await waitFor('the disk to have everything', () => notWrittenYet() < 5 || undefined, 300);
  const later = await node.startPod(reference, { pull: true });
  found.laterPod.push(later.startedMs);
  found.laterReady.push(later.ms);
  await node.removePods();
  await node.restartKubelet();
  found.freshKubelet.push((await node.startPod(reference, { pull: true })).startedMs);
  await node.removePods();
  await forget(node, reference);
  const began = process.hrtime.bigint();
  await crictlPull(bed, node, reference);
  found.pull.push(Number(process.hrtime.bigint() - began) / 1e9);
}

/** Megabytes that are in memory and not on the disk. */
function notWrittenYet(): number {
  const text = fs.readFileSync('/proc/meminfo', 'utf8');
  return ['Dirty', 'Writeback'].reduce((sum, name) => sum + Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)![1]), 0) / 1024;
}

export const bootGate: Row = {
  name: 'boot-gate',
  what: 'boot gate, from a node that could start its kubelet to a warm one',
  against: 'the pull by crictl alone',
  limit: { ratio: 1.05, plus: 2 },
  missing: missingForGateNodes,
  async measure(bed) {
    const { gate, pull } = await gates(bed);
    return { samples: { 'gate': gate, 'crictl pull': pull }, unit: 's' };
  },
};

export const firstPod: Row = {
  name: 'first-pod',
  what: 'first pod behind the gate, straight after the pull, from its manifest to its container\'s start',
  against: 'the same pod once the disk has everything',
  limit: { ratio: 1.3 },
  missing: missingForGateNodes,
  async measure(bed) {
    const found = await gates(bed);
    return {
      samples: {
        'first pod': found.firstPod,
        'later pod': found.laterPod,
        'first pod of a kubelet that was started again, without a pull before it': found.freshKubelet,
        'first pod, until ready': found.firstReady,
        'later pod, until ready': found.laterReady,
        'MB not written yet when it started': found.dirtyMegabytes,
      },
      unit: 'ms',
    };
  },
};
