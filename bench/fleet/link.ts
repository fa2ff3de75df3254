import type { Timeline } from './timeline';

interface Transfer {
  /** What each transfer of this link has got by then, since its beginning. */
  readonly until: number;
  readonly done: () => void;
}

/** A link that transfers share evenly, none faster than its node's own bandwidth. Megabytes and seconds. */
export class SharedLink {
  /** The most that went through it at one time, in MB/s. */
  peak = 0;
  transferred = 0;
  private readonly waiting: Transfer[] = [];
  private each = 0;
  private since = 0;
  private round = 0;

  constructor(private readonly timeline: Timeline, private readonly capacity: number, private readonly perNode: number) {}

  transfer(megabytes: number, done: () => void): void {
    this.advance();
    this.transferred += megabytes;
    const until = this.each + megabytes;
    let at = this.waiting.length;
    while (at > 0 && this.waiting[at - 1].until > until) {
      at--;
    }
    this.waiting.splice(at, 0, { until, done });
    this.peak = Math.max(this.peak, this.rate() * this.waiting.length);
    this.plan();
  }

  private rate(): number {
    return Math.min(this.perNode, this.capacity / this.waiting.length);
  }

  private advance(): void {
    if (this.waiting.length > 0) {
      this.each += (this.timeline.now - this.since) * this.rate();
    }
    this.since = this.timeline.now;
  }

  private plan(): void {
    const round = ++this.round;
    if (this.waiting.length === 0) {
      return;
    }
    const seconds = Math.max(0, (this.waiting[0].until - this.each) / this.rate());
    this.timeline.after(seconds, () => {
      if (round !== this.round) {
        return;
      }
      this.advance();
      const first = this.waiting.shift()!;
      this.each = Math.max(this.each, first.until);
      this.plan();
      first.done();
    });
  }
}
