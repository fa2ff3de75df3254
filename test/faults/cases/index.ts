import { ECR_API, LOGS, METADATA } from './aws-apis';
import { CREDENTIALS } from './credentials';
import { DISK_FULL } from './disk';
import { IMAGES } from './images';
import { NAMES } from './names';
import { NODE_FILES } from './node-files';
import { PROGRAM } from './program';
import { QUEUE } from './queue';
import { REGISTRY } from './registry';
import { RUNTIME } from './runtime';
import type { FaultCase } from '../fault-case';

/** Every row of docs/faults.md, in its order. */
export const CASES: FaultCase[] = [
  ...REGISTRY, ...NAMES, ...CREDENTIALS, ...ECR_API, ...METADATA, ...LOGS, ...RUNTIME, ...PROGRAM, ...DISK_FULL, ...NODE_FILES, ...IMAGES, ...QUEUE,
];
