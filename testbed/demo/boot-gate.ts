import type { Progress } from './progress';
import type { RealDeployment } from '../deployment';
import type { GateNode } from '../engines';
import { missingForGateNodes } from '../engines';

/** The user data of a node without the gate. */
const NO_GATE = '#!/bin/sh\n';

export interface GateDemo {
  /** From manifest to ready: the first pod of a new node whose kubelet waited for the images. */
  readonly firstPodStartMs: number;
  /** The same on a new node that boots without the gate. */
  readonly coldStartMs: number;
  readonly kubeletStartedAfterPull: boolean;
}

/**
 * Boots two new nodes by a real systemd, one with the user data of node group Gpu, which carries the boot gate, and one
 * without a gate, and starts the first pod on each. Undefined where systemd can't run; then it says why.
 */
export async function gateDemo(deployment: RealDeployment, reference: string, progress: Progress): Promise<GateDemo | undefined> {
  const missing = missingForGateNodes();
  if (missing.length > 0) {
    progress.say(`the boot gate is left out: ${missing.join('; ')}`);
    return undefined;
  }
  progress.say('a node boots with the gate: systemd, cloud-init, containerd, the gate, kubelet');
  const gated = await deployment.addGateNode('gpu-gated', 'Gpu');
  const gate = await gated.service('image-prefetcher-boot-gate');
  const kubelet = await gated.service('kubelet');
  progress.say(`its kubelet waited ${Math.round(gate.processEnded - gate.processStarted)} ms for the images, then started`);
  const first = await gated.startPod(reference, { pull: true });
  progress.say(`its very first pod starts in ${first.ms} ms${first.pulled ? ', after pulling the image' : ''}`);

  progress.say('a node boots without the gate');
  const cold = await (await addNodeWithoutGate(deployment)).startPod(reference, { pull: true });
  progress.say(`its first pod starts in ${cold.ms} ms, of which the image took ${cold.imageMs} ms`);

  return {
    firstPodStartMs: first.ms,
    coldStartMs: cold.ms,
    kubeletStartedAfterPull: gate.processEnded > 0 && gate.processEnded <= kubelet.processStarted
      && gated.imagesAtKubeletStart().some(({ repoTags }) => repoTags.includes(reference)),
  };
}

function addNodeWithoutGate({ testbed }: RealDeployment): Promise<GateNode> {
  return testbed.addGateNode('plain', {}, NO_GATE);
}
