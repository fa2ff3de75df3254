import type { Invocation, Ramp } from './dispatch-window';
import { DispatchWindow } from './dispatch-window';
import type { ImageFigures, Network, NodeFigures } from './fleet';
import { Ecr } from './fleet';
import { Random } from './random';
import { Timeline } from './timeline';

export interface PushScenario {
  readonly seed: number;
  readonly nodes: number;
  readonly maxConcurrency: number;
  readonly ramp: Ramp;
  readonly image: ImageFigures;
  readonly node: NodeFigures;
  readonly network: Network;
  /** Share of the nodes that Systems Manager knows and cannot reach: stopped, in a warm pool, without a working agent. @default 0 */
  readonly unreachable?: number;
  /** Seconds for which such a node holds its place. @default 0 */
  readonly holdSeconds?: number;
  /** Seconds after which the command expires as a whole. @default - never */
  readonly expires?: number;
  /** Mean seconds until an agent has its command; not measured by us. @default 1 */
  readonly deliverySeconds?: number;
}

export interface PushResult {
  /** Seconds from the push until each node that got the image had it, in order. */
  readonly arrived: number[];
  readonly failed: number;
  readonly unreachable: number;
  readonly notSent: number;
  readonly mostInFlight: number;
  readonly throttled: number;
  readonly peak: { readonly token: number; readonly manifest: number; readonly layer: number };
  /** MB/s. */
  readonly peakTraffic: number;
  readonly gigabytes: number;
  /** The slowest single pull, in seconds. */
  readonly slowestPull: number;
}

/** From the event to the last node. */
export function simulatePush(scenario: PushScenario): PushResult {
  const { nodes, unreachable = 0, holdSeconds = 0, deliverySeconds = 1 } = scenario;
  const timeline = new Timeline();
  const ecr = new Ecr(timeline, scenario.network);
  const arrived: number[] = [];
  let failed = 0;
  let timedOut = 0;
  let slowestPull = 0;

  const away = Math.round(nodes * unreachable);
  const fleet = new Random(scenario.seed).shuffle(Array.from({ length: nodes }, (_, index) => index >= away));
  const invocations = fleet.map((reachable, index): Invocation => (acknowledged, completed) => {
    if (!reachable) {
      // It was sent, and is `Delayed` from then on: its place is taken, but the others need not wait for its answer.
      timeline.after(deliverySeconds, acknowledged);
      timeline.after(Math.max(holdSeconds, deliverySeconds), () => {
        timedOut++;
        completed();
      });
      return;
    }
    const random = Random.ofNode(scenario.seed, index);
    timeline.after(random.exponential(deliverySeconds), () => {
      const began = timeline.now;
      acknowledged();
      ecr.pull(scenario.image, scenario.node, random, ok => {
        if (ok) {
          arrived.push(timeline.now);
        } else {
          failed++;
        }
        slowestPull = Math.max(slowestPull, timeline.now - began);
        completed();
      });
    });
  });
  const window = new DispatchWindow(timeline, invocations, scenario);
  window.start();
  timeline.run();
  const { token, manifest, layer } = ecr.quotas;
  return {
    arrived,
    failed,
    unreachable: timedOut,
    notSent: window.left,
    mostInFlight: window.mostInFlight,
    throttled: ecr.throttled,
    peak: { token: token.peak, manifest: manifest.peak, layer: layer.peak },
    peakTraffic: ecr.link.peak,
    gigabytes: ecr.link.transferred / 1000,
    slowestPull,
  };
}

/** Seconds until that share of the reachable nodes has it; undefined when it never comes to that. */
export function secondsUntil(share: number, { arrived }: PushResult, reachable: number): number | undefined {
  return arrived[Math.max(1, Math.ceil(share * reachable)) - 1];
}
