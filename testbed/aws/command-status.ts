import type { Invocation } from './run-command';

export type CommandStatus = 'Success' | 'Failed' | 'ExecutionTimedOut' | 'DeliveryTimedOut' | 'Incomplete' | 'NoInstancesInTag';

/** Nodes that the command never got to: only where there is no other is it a failure. */
const NOT_REACHED = ['Undeliverable', 'AccessDenied'];

/** What was never delivered (or not allowed) does not count against MaxErrors. */
export function countsAsError({ status }: Invocation): boolean {
  return status === 'Failed' || status === 'ExecutionTimedOut';
}

/**
 * The status of a whole command: "the value of MaxErrors or more command invocations" of a status make it the command's, while
 * the dispatch stops at one more than that (docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html).
 */
export function commandStatus(invocations: Invocation[], maxErrors: number): CommandStatus {
  const reached = invocations.filter(({ status }) => !NOT_REACHED.includes(status));
  const count = (wanted: Invocation['status']) => reached.filter(({ status }) => status === wanted).length;
  const enough = Math.max(1, maxErrors);
  if (invocations.length === 0) {
    return 'NoInstancesInTag';
  }
  if (reached.length === 0 || (reached.filter(countsAsError).length >= enough && count('Failed') > 0)) {
    return 'Failed';
  }
  if (count('ExecutionTimedOut') >= enough) {
    return 'ExecutionTimedOut';
  }
  if (count('DeliveryTimedOut') >= enough) {
    return 'DeliveryTimedOut';
  }
  return reached.every(({ status }) => status === 'Success') ? 'Success' : 'Incomplete';
}
