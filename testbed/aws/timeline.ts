/** One thing that happened, and when. */
export interface Step {
  /** Milliseconds since the timeline began. */
  readonly atMs: number;
  readonly what: 'rule-matched' | 'delivery-refused' | 'runbook-started' | 'runbook-finished' | 'command-sent' | 'association-started'
  | 'node-started' | 'node-finished';
  readonly text: string;
  readonly details: Record<string, unknown>;
}

export type ProgressListener = (step: Step) => void;

/** Collects what happens, and tells a listener as it does. */
export class Timeline {
  readonly steps: Step[] = [];
  private readonly began = performance.now();

  constructor(private readonly onProgress: ProgressListener = () => undefined) {
  }

  add(what: Step['what'], text: string, details: Record<string, unknown> = {}): void {
    const step = { atMs: Math.round(performance.now() - this.began), what, text, details };
    this.steps.push(step);
    this.onProgress(step);
  }
}
