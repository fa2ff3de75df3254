import { Refused } from './errors';

/** How many nodes at a time, and how many may fail before the rest is spared. */
export interface RateControl {
  readonly maxConcurrency: number;
  readonly maxErrors: number;
}

/** Reads MaxConcurrency and MaxErrors: numbers, or percent of the targets. */
export function rateControl(owner: string, maxConcurrency: string, maxErrors: string, targets: number): RateControl {
  if (typeof maxConcurrency !== 'string' || !/^([1-9][0-9]{0,6}|[1-9][0-9]?%|100%)$/.test(maxConcurrency)) {
    throw new Refused(owner, 'MaxConcurrency must be a string: a number of 1 or more, or 1% to 100%', maxConcurrency);
  }
  if (typeof maxErrors !== 'string' || !/^([1-9][0-9]{0,6}|0|[1-9]?[0-9]%|100%)$/.test(maxErrors)) {
    throw new Refused(owner, 'MaxErrors must be a string: a number of 0 or more, or 0% to 100%', maxErrors);
  }
  const of = (value: string) => value.endsWith('%') ? Math.floor(parseInt(value) * targets / 100) : Number(value);
  return { maxConcurrency: Math.max(1, of(maxConcurrency)), maxErrors: of(maxErrors) };
}

/**
 * Runs a job per item as Systems Manager does: first one, then two more for each that was acknowledged, up to maxConcurrency at a
 * time, and no new one after more than maxErrors failed: with 3, "when the fourth error is received"
 * (docs.aws.amazon.com/systems-manager/latest/userguide/send-commands-multiple.html). Returns the items that were never started.
 */
export async function dispatch<T>(items: readonly T[], { maxConcurrency, maxErrors }: RateControl,
  job: (item: T, acknowledged: () => void) => Promise<'ok' | 'error'>): Promise<T[]> {
  const waiting = [...items];
  let errors = 0;
  let allowed = 1;
  const running = new Set<Promise<void>>();
  const sendMore = () => {
    while (waiting.length > 0 && errors <= maxErrors && allowed > 0 && running.size < maxConcurrency) {
      allowed--;
      let answered = false;
      const answer = () => {
        allowed += answered ? 0 : 2;
        answered = true;
      };
      const run: Promise<void> = job(waiting.shift()!, () => {
        answer();
        // Not before this one counts as running.
        queueMicrotask(sendMore);
      }).then(outcome => {
        errors += outcome === 'error' ? 1 : 0;
        answer();
        running.delete(run);
        sendMore();
      });
      running.add(run);
      // Once full, the window alone decides.
      if (running.size === maxConcurrency) {
        allowed = Infinity;
      }
    }
  };
  sendMore();
  while (running.size > 0) {
    await Promise.race(running);
  }
  return waiting;
}
