import { bootGate, firstPod } from './boot-gate';
import { eightImages } from './eight-images';
import { fleetOfEight } from './fleet';
import { cpu, memory } from './memory-and-cpu';
import { twoNodes } from './nodes';
import { podStartByDigest, podStartByTag } from './pod-start';
import { reconcileRequests, reconcileSeconds } from './reconcile';
import { program, push } from './sample';
import { documentSize, synthTime } from './synth';
import { withoutLogs } from './without-logs';
import type { Row } from '../row';

/** In the order of the table. */
export const ROWS: Row[] = [
  push, program, eightImages, podStartByTag, podStartByDigest, reconcileSeconds, reconcileRequests, memory, cpu, withoutLogs, synthTime, documentSize,
  bootGate, firstPod, twoNodes, fleetOfEight,
];
