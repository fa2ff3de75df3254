import type { Invocation, Ramp } from './dispatch-window';
import { DispatchWindow } from './dispatch-window';
import type { ImageFigures, Network, NodeFigures } from './fleet';
import { Ecr } from './fleet';
import { Random } from './random';
import { Timeline } from './timeline';

export interface ReconcileScenario {
  readonly seed: number;
  readonly nodes: number;
  readonly maxConcurrency: number;
  readonly ramp: Ramp;
  /** Most seconds that a node waits before it starts (`StartDelaySeconds`); it waits inside its place of the window. */
  readonly startDelaySeconds: number;
  /** Repositories that every node asks about. */
  readonly repositories: number;
  /** Seconds of a run that finds everything in place. */
  readonly presentSeconds: number;
  /** What is missing on every node, say after a push whose event was lost. @default - nothing */
  readonly missing?: ImageFigures;
  readonly node: NodeFigures;
  readonly network: Network;
}

export interface ReconcileResult {
  /** Seconds from the schedule until each node was done, in order. */
  readonly done: number[];
  readonly failed: number;
  readonly throttled: number;
  readonly peak: { readonly describe: number; readonly token: number; readonly layer: number };
  /** MB/s. */
  readonly peakTraffic: number;
  readonly mostInFlight: number;
  /** DescribeImages asked for in each second. */
  readonly describeAsked: ReadonlyMap<number, number>;
}

/** A scheduled run of the association on all nodes. */
export function simulateReconcile(scenario: ReconcileScenario): ReconcileResult {
  const timeline = new Timeline();
  const ecr = new Ecr(timeline, scenario.network);
  const done: number[] = [];
  let failed = 0;
  const run = (index: number): Invocation => (acknowledged, completed) => {
    const random = Random.ofNode(scenario.seed, index);
    const end = (ok: boolean) => {
      if (ok) {
        done.push(timeline.now);
      } else {
        failed++;
      }
      completed();
    };
    timeline.after(random.exponential(1), () => {
      acknowledged();
      timeline.after(random.between(0, scenario.startDelaySeconds), () =>
        ecr.quotas.describe.ask(scenario.repositories, random, () =>
          timeline.after(scenario.presentSeconds * random.spread(scenario.node.spread), () => {
            if (scenario.missing) {
              ecr.pull(scenario.missing, scenario.node, random, end);
            } else {
              end(true);
            }
          }), () => end(false)));
    });
  };
  const window = new DispatchWindow(timeline, Array.from({ length: scenario.nodes }, (_, index) => run(index)), scenario);
  window.start();
  timeline.run();
  const { describe, token, layer } = ecr.quotas;
  return {
    done,
    failed,
    throttled: ecr.throttled,
    peak: { describe: describe.peak, token: token.peak, layer: layer.peak },
    peakTraffic: ecr.link.peak,
    mostInFlight: window.mostInFlight,
    describeAsked: describe.asked,
  };
}
