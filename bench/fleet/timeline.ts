interface Entry {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

/** What happens when, in simulated seconds: a heap of actions, those of one moment in the order they were added. */
export class Timeline {
  now = 0;
  private readonly heap: Entry[] = [];
  private added = 0;

  at(time: number, action: () => void): void {
    if (!(time >= this.now)) {
      throw new Error(`an action must not be before now (${this.now}), got ${time}`);
    }
    const entry = { time, order: this.added++, action };
    let at = this.heap.push(entry) - 1;
    while (at > 0) {
      const above = Math.floor((at - 1) / 2);
      if (!isBefore(entry, this.heap[above])) {
        break;
      }
      this.heap[at] = this.heap[above];
      at = above;
    }
    this.heap[at] = entry;
  }

  after(seconds: number, action: () => void): void {
    this.at(this.now + seconds, action);
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    for (let entry = this.take(); entry; entry = this.take()) {
      this.now = entry.time;
      entry.action();
    }
  }

  private take(): Entry | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (!last || this.heap.length === 0) {
      return first;
    }
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.heap.length) {
        break;
      }
      if (below + 1 < this.heap.length && isBefore(this.heap[below + 1], this.heap[below])) {
        below++;
      }
      if (!isBefore(this.heap[below], last)) {
        break;
      }
      this.heap[at] = this.heap[below];
      at = below;
    }
    this.heap[at] = last;
    return first;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}
