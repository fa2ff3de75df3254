import type { ImageFigures, Network, NodeFigures } from './fleet';
import { Ecr } from './fleet';
import { Random } from './random';
import { Timeline } from './timeline';

export interface JoinScenario {
  readonly seed: number;
  /** Seconds at which each node has booted so far that it can pull. */
  readonly booted: number[];
  readonly image: ImageFigures;
  readonly node: NodeFigures;
  readonly network: Network;
}

export interface JoinResult {
  /** Seconds of each node from being able to pull until it had its images, in the order in which they had them. */
  readonly cold: number[];
  /** When each had them, in order. */
  readonly warmAt: number[];
  readonly failed: number;
  readonly throttled: number;
  /** MB/s. */
  readonly peakTraffic: number;
}

/** Nodes that come up cold and pull what they keep: behind the boot gate, or by the association's first run. */
export function simulateJoins({ seed, booted, image, node, network }: JoinScenario): JoinResult {
  const timeline = new Timeline();
  const ecr = new Ecr(timeline, network);
  const cold: number[] = [];
  const warmAt: number[] = [];
  let failed = 0;
  for (const [index, time] of booted.entries()) {
    timeline.at(time, () => ecr.pull(image, node, Random.ofNode(seed, index), ok => {
      if (!ok) {
        return void failed++;
      }
      cold.push(timeline.now - time);
      warmAt.push(timeline.now);
    }));
  }
  timeline.run();
  return { cold, warmAt, failed, throttled: ecr.throttled, peakTraffic: ecr.link.peak };
}

/** Karpenter brings that many nodes within that time. */
export function scaleOut(random: Random, nodes: number, withinSeconds: number): number[] {
  return Array.from({ length: nodes }, () => random.between(0, withinSeconds));
}

/** Nodes of a fleet that are replaced (spot, expiry, new AMIs), each on average once in that many hours. */
export function churn(random: Random, nodes: number, everyHours: number, hours: number): number[] {
  const mean = everyHours * 3600 / nodes;
  const booted: number[] = [];
  for (let time = random.exponential(mean); time < hours * 3600; time += random.exponential(mean)) {
    booted.push(time);
  }
  return booted;
}
