import { FAST, SLOW } from './figures';
import type { NodeFigures } from './fleet';
import { NAT_GATEWAY } from './fleet';
import { count, table } from './words';

/** MB/s at which one node alone brings an image to its disk. */
export function rateOfNode({ unpackSecondsPerMegabyte }: NodeFigures): number {
  return Math.min(NAT_GATEWAY.nodeMegabytesPerSecond, 1 / unpackSecondsPerMegabyte);
}

/** How many nodes that pull at a time a shared way of that many MB/s feeds without slowing any of them. */
export function fedBy(megabytesPerSecond: number, node: NodeFigures): number {
  return Math.floor(megabytesPerSecond / rateOfNode(node));
}

/** Where the way becomes the bottleneck, and so where peers would be faster. */
export function bottlenecks(): string {
  const ways: [string, number][] = [['NAT gateway, 5 Gbit/s', 625], ['NAT gateway, 100 Gbit/s', NAT_GATEWAY.sharedMegabytesPerSecond], ['a registry that gives 1 Gbit/s in all', 125]];
  return table(['layers come through', 'fast nodes at a time', 'slow nodes at a time'],
    ways.map(([name, capacity]) => [name, count(fedBy(capacity, FAST)), count(fedBy(capacity, SLOW))]));
}
