import { Clock } from './clock';

/** One thing that happened, and when. */
export interface Step {
  /** Milliseconds since the timeline began, with waits that a test does not wait for. */
  readonly atMs: number;
  readonly what: 'rule-matched' | 'delivery-refused' | 'runbook-started' | 'runbook-finished' | 'command-sent' | 'association-started'
  | 'node-held-up' | 'node-started' | 'node-rebooted' | 'node-finished' | 'node-timed-out' | 'invocation-ended';
  readonly text: string;
  readonly details: Record<string, unknown>;
}

export type ProgressListener = (step: Step) => void;

/** Collects what happens, and tells a listener as it does. */
export class Timeline {
  readonly steps: Step[] = [];
  readonly clock = new Clock();

  constructor(private readonly onProgress: ProgressListener = () => undefined) {
  }

  add(what: Step['what'], text: string, details: Record<string, unknown> = {}): void {
    const step = { atMs: Math.round(this.clock.now), what, text, details };
    this.steps.push(step);
    this.onProgress(step);
  }
}
