import * as fs from 'node:fs';
import type { Stack } from 'aws-cdk-lib';
import type { GateDemo } from './boot-gate';
import { gateDemo } from './boot-gate';
import { dashboardPicture } from './dashboard-picture';
import type { Progress } from './progress';
import type { Watched } from './watched';
import { watched } from './watched';
import type { Invocation } from '../aws';
import { RealDeployment } from '../deployment';
import type { Node } from '../engines';
import type { ImageLine } from '../report';
import { reportLines, reportOf } from '../report';

const MEGABYTES = 1500;

export interface DemoNode {
  readonly name: string;
  readonly images: ImageLine[];
}

export interface DemoResult {
  /** From manifest to ready: a pod whose image is not on its node. */
  readonly coldStartMs: number;
  /** The same pod on a node that has the image. */
  readonly prefetchedStartMs: number;
  /** From the event to the image on every selected node. */
  readonly pushToCachedMs: number;
  readonly imageBytes: number;
  /** The nodes of the prefetched group, with what the node program reported. */
  readonly nodes: DemoNode[];
  /** Nodes of the other group: none of the images is there. */
  readonly untouchedNodes: { readonly name: string; readonly images: string[] }[];
  /** A node that joins after the push. */
  readonly lateNode: DemoNode & { readonly prefetchedStartMs: number };
  /** The first pod of a node with the boot gate. Left out where systemd cannot run. */
  readonly gate?: GateDemo;
  /** What a user would see of all this in CloudWatch. */
  readonly watched: Watched;
}

/** Pushes an image, and starts a pod cold and a pod prefetched on real containerd. */
export async function runOnRealNodes(stack: Stack, progress: Progress, dashboardFile?: string): Promise<DemoResult> {
  progress.say('synthesising the example app, starting a registry and the ECR API');
  const deployment = await RealDeployment.start(stack);
  try {
    return await demonstrate(deployment, progress, dashboardFile);
  } finally {
    progress.say('stopping everything');
    await deployment.stop();
  }
}

async function demonstrate(deployment: RealDeployment, progress: Progress, dashboardFile?: string): Promise<DemoResult> {
  const { testbed, plane } = deployment;

  progress.say('booting three nodes: two of node group Gpu, which is prefetched, and one of node group Web');
  const gpuNodes = [await deployment.addNode('gpu-1', 'Gpu'), await deployment.addNode('gpu-2', 'Gpu')];
  const webNode = await deployment.addNode('web-1', 'Web');

  progress.say('pushing inference:v1 (50 MB): a first push, to see the path');
  await plane.putEvent((await testbed.push({ repository: 'inference', tag: 'v1', megabytes: 50 })).event, { onProgress: progress.step });

  progress.say(`pushing training:v1 (${MEGABYTES} MB)`);
  const pushed = await testbed.push({ repository: 'training', tag: 'v1', megabytes: MEGABYTES });
  const began = Date.now();
  const { deliveries } = await plane.putEvent(pushed.event, { onProgress: progress.step });
  const pushToCachedMs = Date.now() - began;
  const invocations = deliveries.flatMap(delivery => delivery.runbook?.steps ?? []).flatMap(step => step.command?.invocations ?? []);
  invocations.forEach(expectSuccess);
  const nodes = invocations.map(toDemoNode);
  progress.say(`on ${nodes.length} nodes after ${pushToCachedMs} ms`);
  await expectImage(gpuNodes, pushed.reference);

  const untouched = (await webNode.images()).flatMap(image => image.repoTags).filter(tag => !tag.includes('pause'));
  progress.say(`web-1, which is not selected, has ${untouched.length} of the images`);

  progress.say('starting the pod on web-1, cold');
  const cold = await webNode.startPod(pushed.reference, { pull: true });
  progress.say(`cold start: ${cold.ms} ms, of which the image took ${cold.imageMs} ms`);
  progress.say('starting the pod on gpu-1, prefetched');
  const warm = await gpuNodes[0].startPod(pushed.reference, { pull: true });
  progress.say(`prefetched start: ${warm.ms} ms, ${(100 * warm.ms / cold.ms).toFixed(1)} % of the cold start`);

  progress.say('a node joins late');
  const late = await deployment.addNode('gpu-late', 'Gpu');
  const { associations } = await plane.nodeOnline(late, progress.step);
  const lateInvocations = associations.flatMap(association => association.invocations);
  lateInvocations.forEach(expectSuccess);
  await expectImage([late], pushed.reference);
  const latePod = await late.startPod(pushed.reference, { pull: true });
  progress.say(`its first pod starts in ${latePod.ms} ms`);

  const gate = await gateDemo(deployment, pushed.reference, progress);

  const lines = await reportLines(deployment, testbed.logs);
  if (dashboardFile) {
    fs.writeFileSync(dashboardFile, dashboardPicture(plane.template, lines));
  }

  return {
    coldStartMs: cold.ms,
    prefetchedStartMs: warm.ms,
    pushToCachedMs,
    imageBytes: nodes[0].images[0].bytes ?? 0,
    nodes,
    untouchedNodes: [{ name: webNode.name, images: untouched }],
    lateNode: { ...toDemoNode(lateInvocations[0]), prefetchedStartMs: latePod.ms },
    gate,
    watched: watched(plane.template, lines, progress),
  };
}

function toDemoNode(invocation: Invocation): DemoNode {
  return { name: invocation.node, images: reportOf(invocation).images };
}

function expectSuccess({ node, status, reason, output }: Invocation): void {
  if (status !== 'Success') {
    throw new Error(`the run on ${node} ended with ${status} ${reason ?? ''}\n${output?.stdout ?? ''}${output?.stderr ?? ''}`);
  }
}

async function expectImage(nodes: Node[], reference: string): Promise<void> {
  for (const node of nodes) {
    if (!await node.imageStatus(reference)) {
      throw new Error(`${node.name} should have ${reference}, but has not`);
    }
  }
}
