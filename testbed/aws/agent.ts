import type { RenderedCommand } from './document';
import type { CommandOutput, CommandTarget } from './fleet';
import type { Timeline } from './timeline';

/** How a script ended, as the agent reports it. */
export interface ScriptResult {
  readonly status: 'Success' | 'Failed' | 'ExecutionTimedOut';
  readonly reason?: string;
  /** Cut to what Systems Manager keeps. */
  readonly output: CommandOutput;
}

type Execute = (node: CommandTarget, command: RenderedCommand) => Promise<CommandOutput>;

// Exit codes with a meaning of their own (amazon-ssm-agent, agent/contracts/model.go and agent/appconfig/constants_unix.go).
const SUCCESS_AND_EXIT = 168;
const KILLED = 137;
const REBOOT = 194;

const LIMIT = 24_000;
const TRUNCATED = '--output truncated--';
/** More than that is a loop. */
const MOST_REBOOTS = 10;

/** Runs a script; one that asks for it runs again once its node has started again. */
export async function runScript(node: CommandTarget, command: RenderedCommand, execute: Execute,
  timeline: Timeline): Promise<{ result: ScriptResult; all: CommandOutput }> {
  for (let reboots = 0; ; reboots++) {
    const all = await timeline.clock.during(() => execute(node, command)).catch((error: Error): CommandOutput =>
      ({ exitCode: -1, stdout: '', stderr: `the agent could not run the script: ${error.message}`, seconds: 0 }));
    if (all.exitCode !== REBOOT || all.timedOut || !node.reboot || reboots === MOST_REBOOTS) {
      return { all, result: asReported(all, command) };
    }
    timeline.add('node-rebooted', `${node.name} reboots, because the script ended with exit code ${REBOOT}`);
    await timeline.clock.during(() => node.reboot!());
  }
}

/** What the agent makes of a script's end. */
export function asReported(output: CommandOutput, { timeoutSeconds }: RenderedCommand): ScriptResult {
  const { exitCode } = output;
  const kept = { ...output, stdout: cut(output.stdout), stderr: cut(output.stderr) };
  if (output.timedOut || exitCode === KILLED) {
    return { status: 'ExecutionTimedOut', reason: output.timedOut ? `ended after ${timeoutSeconds} s` : `exit code ${KILLED}`, output: kept };
  }
  if (exitCode === SUCCESS_AND_EXIT) {
    return { status: 'Success', output: { ...kept, stderr: '' } };
  }
  if (exitCode === REBOOT) {
    return { status: 'Failed', reason: `exit code ${REBOOT}, which reboots a node, again and again or where this stand-in can't`, output: kept };
  }
  return exitCode === 0 ? { status: 'Success', output: kept } : { status: 'Failed', reason: `exit code ${exitCode}`, output: kept };
}

/** As the agent's StringPrefix does: a text as long as the limit is cut, too. */
function cut(text: string): string {
  return text.length < LIMIT ? text : `${text.slice(0, LIMIT - TRUNCATED.length)}${TRUNCATED}`;
}
