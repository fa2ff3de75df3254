import type { GateScene } from './gate-scene';

/** One row whose moment is the boot gate: a node boots with it, meets the fault, and joins. */
export interface GateCase {
  /** The fault in words, as the table has it. */
  readonly fault: string;
  /** A script of the user data, which runs before the gate. */
  readonly userData?: string;
  /** @default 20000 */
  readonly imageDiskMegabytes?: number;
  /** When the kubelet starts: `atOnce` is without waiting for anything, `atItsBound` when maxWait is over. */
  readonly opens: 'atOnce' | 'withTheImage' | 'atItsBound';
  /** What the gate's journal must say. */
  readonly says: RegExp;
  /** Of the run that follows on the node's joining, too. */
  readonly alarms: string[];
  /** Whether the run on joining meets it, too. */
  readonly lasts?: true;
  /** What others keep for a while: lines like this, and what they are in words. */
  readonly leaves?: readonly [RegExp, string];
  /** Before the node boots. */
  inject?(scene: GateScene): void;
  /** While it waits at the gate. */
  meanwhile?(scene: GateScene): Promise<unknown>;
  /** Beside what the ways did. */
  heal?(scene: GateScene): Promise<unknown>;
}
