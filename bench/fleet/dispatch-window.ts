import type { Timeline } from './timeline';

/**
 * When Systems Manager sends to two more nodes while it is still getting up to maxConcurrency: once a node has acknowledged the
 * command (the user guide of today), or once it has completed it (the user guide until about 2020). We are ready for both.
 */
export type Ramp = 'acknowledged' | 'completed';

export interface DispatchWindowProps {
  readonly maxConcurrency: number;
  readonly ramp: Ramp;
  /** Seconds after which the whole command expires: what has not been sent by then is not sent. @default - never */
  readonly expires?: number;
}

/** One node's part of a command. */
export type Invocation = (acknowledged: () => void, completed: () => void) => void;

/** Systems Manager's rate control: to one node first, to two more for each that answered, up to maxConcurrency at a time. */
export class DispatchWindow {
  inFlight = 0;
  mostInFlight = 0;
  sent = 0;
  private credit = 1;

  constructor(private readonly timeline: Timeline, private readonly waiting: Invocation[], private readonly props: DispatchWindowProps) {
    if (!(props.maxConcurrency >= 1)) {
      throw new Error(`maxConcurrency must be at least 1, got ${props.maxConcurrency}`);
    }
  }

  /** How many were never sent. */
  get left(): number {
    return this.waiting.length - this.sent;
  }

  start(): void {
    const { maxConcurrency, ramp, expires = Infinity } = this.props;
    while (this.sent < this.waiting.length && this.inFlight < maxConcurrency && this.credit > 0 && this.timeline.now < expires) {
      const invocation = this.waiting[this.sent++];
      this.credit--;
      this.inFlight++;
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
      // Once full, the window alone decides.
      if (this.inFlight === maxConcurrency) {
        this.credit = Infinity;
      }
      let answered = false;
      const answer = () => {
        if (!answered) {
          this.credit += 2;
        }
        answered = true;
      };
      invocation(() => {
        if (ramp === 'acknowledged') {
          answer();
        }
        this.start();
      }, () => {
        answer();
        this.inFlight--;
        this.start();
      });
    }
  }
}
