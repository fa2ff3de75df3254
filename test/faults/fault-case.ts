import type { Stack } from 'aws-cdk-lib';
import type { Scene } from './scene';
import type { ImagePrefetcherProps } from '../../src';
import type { Run } from '../nodes/real-nodes';

/** Takes a fault away again. */
export type Heal = () => void | Promise<unknown>;

/** One row: a fault, and what is expected of a run that meets it. */
export interface FaultCase {
  /** The fault in words, as the table has it. */
  readonly fault: string;
  /** @default push */
  readonly moment?: 'push' | 'reconcile';
  /** A small node has a small disk for images, and is changed by no other case. @default usual */
  readonly ground?: 'usual' | 'small';
  /** How long Systems Manager lets the run take: what hangs ends with that. @default 300 */
  readonly seconds?: 60;
  readonly props?: (stack: Stack) => Partial<ImagePrefetcherProps>;
  /** Megabytes of the image. @default 4 */
  readonly megabytes?: number;
  readonly status: Run['status'];
  /** Of the image. @default - no line about it */
  readonly outcome?: string;
  /** What the user must read. */
  readonly says?: RegExp;
  readonly alarms?: string[];
  /** What others, or by design we, keep for a while: lines like this, and what they are in words. */
  readonly leaves?: readonly [RegExp, string];
  /** Before the run. */
  inject?(scene: Scene): Heal | void | Promise<Heal | void>;
  /** While it runs. */
  meanwhile?(scene: Scene): Promise<unknown>;
  /** The runs that meet the fault. @default - one */
  run?(scene: Scene): Promise<Run[]>;
  /** More that must hold of these runs. */
  expect?(runs: Run[], scene: Scene): void | Promise<void>;
}
