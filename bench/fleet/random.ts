/* eslint-disable no-bitwise */

/** A seeded generator, so that a run can be had again (mulberry32). */
export class Random {
  /** One that is its own for each node: what another setting changes for one of them must not change the luck of the others. */
  static ofNode(seed: number, node: number): Random {
    return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(node + 1, 0x85ebca6b));
  }

  constructor(private state: number) {}

  /** At least 0, less than 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** About 1, with that relative spread: how much one node differs from the next. */
  spread(sigma: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
    return Math.exp(sigma * normal - sigma * sigma / 2);
  }

  shuffle<T>(items: T[]): T[] {
    for (let last = items.length - 1; last > 0; last--) {
      const other = Math.floor(this.next() * (last + 1));
      [items[last], items[other]] = [items[other], items[last]];
    }
    return items;
  }
}
