import type { Random } from './random';
import type { Timeline } from './timeline';

/** How often the node program tries again, and for how long (`backoff` and `Prefetch` in assets/image_prefetcher.py). */
const ATTEMPTS = 6;
const LONGEST_PAUSE_SECONDS = 30;

/** A quota of requests a second, for the account as a whole. */
export class Quota {
  requests = 0;
  throttled = 0;
  private tokens: number;
  private since = 0;
  /** How many were asked for in each second. */
  readonly asked = new Map<number, number>();
  private readonly granted = new Map<number, number>();

  constructor(private readonly timeline: Timeline, readonly rate: number, readonly burst: number = rate) {
    this.tokens = burst;
  }

  /** Most requests that were let through within one second. */
  get peak(): number {
    return Math.max(0, ...this.granted.values());
  }

  /** Asks until it is let through, or gives up as the node program does. */
  ask(count: number, random: Random, granted: () => void, refused: () => void, attempt = 0): void {
    this.requests += count;
    this.add(this.asked, count);
    if (this.take(count)) {
      return granted();
    }
    this.throttled += count;
    if (attempt + 1 >= ATTEMPTS) {
      return refused();
    }
    const pause = Math.min(LONGEST_PAUSE_SECONDS, 2 ** attempt) * random.between(0.5, 1.5);
    this.timeline.after(pause, () => this.ask(count, random, granted, refused, attempt + 1));
  }

  private take(count: number): boolean {
    const { now } = this.timeline;
    this.tokens = Math.min(this.burst, this.tokens + (now - this.since) * this.rate);
    this.since = now;
    if (this.tokens < count) {
      return false;
    }
    this.tokens -= count;
    this.add(this.granted, count);
    return true;
  }

  private add(perSecond: Map<number, number>, count: number): void {
    const second = Math.floor(this.timeline.now);
    perSecond.set(second, (perSecond.get(second) ?? 0) + count);
  }
}
