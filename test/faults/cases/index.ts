import { ECR_API, LOGS, METADATA } from './aws-apis';
import { CREDENTIALS } from './credentials';
import { DISK_FULL } from './disk';
import { GATE } from './gate';
import { IMAGES } from './images';
import { NAMES } from './names';
import { NODE_FILES } from './node-files';
import { PROGRAM } from './program';
import { QUEUE } from './queue';
import { REGISTRY } from './registry';
import { RUNTIME } from './runtime';
import type { FaultCase } from '../fault-case';

/** Of pushes and reconciles. */
export const CASES: FaultCase[] = [
  ...REGISTRY, ...NAMES, ...CREDENTIALS, ...ECR_API, ...METADATA, ...LOGS, ...RUNTIME, ...PROGRAM, ...DISK_FULL, ...NODE_FILES, ...IMAGES, ...QUEUE,
];

/** Of the boot gate. */
export const GATE_CASES = GATE;

/** Every row of docs/faults.md, in its order. */
export const FAULTS = [...CASES, ...GATE_CASES].map(({ fault }) => fault);
