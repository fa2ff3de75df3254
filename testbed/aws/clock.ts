/** Time that nobody waits for: when all that is under way waits, the wait that is over first is over. */
export class Clock {
  private readonly began = performance.now();
  private skipped = 0;
  private working = 0;
  private readonly waits: { readonly until: number; over(): void }[] = [];

  /** Milliseconds since the clock was made, with those that were skipped. */
  get now(): number {
    return performance.now() - this.began + this.skipped;
  }

  /** Does what takes real time: meanwhile nothing is skipped. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.working++;
    try {
      return await work();
    } finally {
      this.working--;
      this.look();
    }
  }

  wait(seconds: number): Promise<void> {
    return new Promise(over => {
      this.waits.push({ until: this.now + seconds * 1000, over });
      this.look();
    });
  }

  private look(): void {
    // What follows from that which has just ended goes first.
    setImmediate(() => {
      const [next] = [...this.waits].sort((one, other) => one.until - other.until);
      if (next === undefined || (this.working > 0 && next.until > this.now)) {
        return;
      }
      this.waits.splice(this.waits.indexOf(next), 1);
      this.skipped += Math.max(0, next.until - this.now);
      next.over();
      this.look();
    });
  }
}
