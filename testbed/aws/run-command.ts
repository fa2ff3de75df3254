import { randomUUID } from 'node:crypto';
import { runScript } from './agent';
import type { CommandStatus } from './command-status';
import { commandStatus, countsAsError } from './command-status';
import type { RenderedCommand, SsmDocument } from './document';
import { renderCommand } from './document';
import { Refused } from './errors';
import type { CommandOutput, CommandTarget, Target } from './fleet';
import { instanceId, nodeRole, select } from './fleet';
import type { Decision, Iam } from './iam';
import type { LogGroups } from './log-groups';
import type { ParameterValues } from './parameters';
import { fromApi } from './parameters';
import { dispatch, rateControl } from './rate-control';
import type { Template } from './template';
import type { Timeline } from './timeline';

/** What every part of Systems Manager sees. */
export interface Systems {
  readonly template: Template;
  readonly iam: Iam;
  readonly documents: Map<string, SsmDocument>;
  readonly fleet: readonly CommandTarget[];
  readonly logs: LogGroups;
  /** Runs the script on the node, or (to explain) only looks at it. */
  execute(node: CommandTarget, command: RenderedCommand): Promise<CommandOutput>;
}

/** API_SendCommand. */
export interface SendCommandRequest {
  readonly DocumentName: string;
  readonly DocumentVersion?: string;
  readonly Parameters?: Record<string, string[]>;
  readonly InstanceIds?: string[];
  readonly Targets?: Target[];
  readonly MaxConcurrency?: string;
  readonly MaxErrors?: string;
  readonly TimeoutSeconds?: number;
  readonly CloudWatchOutputConfig?: { readonly CloudWatchLogGroupName?: string; readonly CloudWatchOutputEnabled?: boolean | string };
  readonly Comment?: string;
}

/** The command on one node. */
export interface Invocation {
  readonly node: string;
  readonly instanceId: string;
  /** Pending: an association whose node does not answer. */
  readonly status: 'Success' | 'Failed' | 'ExecutionTimedOut' | 'DeliveryTimedOut' | 'AccessDenied' | 'Undeliverable' | 'Terminated' | 'Pending';
  readonly reason?: string;
  readonly command?: RenderedCommand;
  /** What Systems Manager keeps of it. */
  readonly output?: CommandOutput;
}

export interface CommandResult {
  readonly commandId: string;
  readonly documentName: string;
  readonly status: CommandStatus;
  readonly invocations: Invocation[];
}

const KNOWN = ['DocumentName', 'DocumentVersion', 'Parameters', 'InstanceIds', 'Targets', 'MaxConcurrency', 'MaxErrors',
  'TimeoutSeconds', 'CloudWatchOutputConfig', 'Comment'];

/** The agent asks six times for the log group, half a minute each, before it starts the command. */
const LOGS_UNREACHABLE_SECONDS = 360;

/** Run Command: what `ssm:SendCommand` by a role does to the fleet. */
export async function sendCommand(systems: Systems, request: SendCommandRequest, roleArn: string, timeline: Timeline): Promise<CommandResult> {
  const { template, iam, documents } = systems;
  const { DocumentName: documentName } = request;
  const unknown = Object.keys(request).filter(key => !KNOWN.includes(key));
  if (unknown.length > 0) {
    throw new Refused('SendCommand', `this stand-in knows only ${KNOWN.join(', ')}`, unknown);
  }
  const document = documents.get(documentName);
  if (document?.type !== 'Command') {
    throw new Refused('SendCommand', 'InvalidDocument: no such Command document', documentName);
  }
  const timeout = Number(request.TimeoutSeconds ?? 3600);
  if (!(timeout >= 30 && timeout <= 2592000)) {
    throw new Refused('SendCommand', 'TimeoutSeconds (for delivery) must be 30 to 2592000', request.TimeoutSeconds);
  }
  if ((request.Comment ?? '').length > 100) {
    throw new Refused('SendCommand', 'Comment has at most 100 characters', request.Comment);
  }
  const { account, region } = template.environment;
  iam.demand('SendCommand', iam.allowed(roleArn, 'ssm:SendCommand', `arn:${template.partition}:ssm:${region}:${account}:document/${documentName}`));

  const values = document.withDefaults(fromApi(documentName, document.parameters, request.Parameters ?? {}));
  const targets = request.Targets ?? [{ Key: 'InstanceIds', Values: request.InstanceIds ?? [] }];
  const nodes = select('SendCommand', systems.fleet, targets);
  const rate = rateControl('SendCommand', request.MaxConcurrency ?? '50', request.MaxErrors ?? '0', nodes.length);
  const commandId = randomUUID();
  const logGroup = request.CloudWatchOutputConfig && String(request.CloudWatchOutputConfig.CloudWatchOutputEnabled) === 'true'
    ? request.CloudWatchOutputConfig.CloudWatchLogGroupName ?? `/aws/ssm/${documentName}` : undefined;
  timeline.add('command-sent', `${documentName} to ${nodes.map(node => node.name).join(', ') || 'no node'}`,
    { commandId, documentName, parameters: request.Parameters ?? {}, targets: nodes.length });

  const invocations = new Map<CommandTarget, Invocation>();
  const spared = await dispatch(nodes, rate, async (node, acknowledged) => {
    const permission = mayReach(systems, roleArn, node);
    const invocation = permission.allowed
      ? await deliver(acknowledging(systems, acknowledged), document, values, node, commandId, { timeout, logGroup }, timeline)
      : { ...idOf(node), status: 'AccessDenied' as const, reason: permission.reason };
    invocations.set(node, invocation);
    timeline.add('invocation-ended', `${node.name} ${invocation.status}`, { commandId, status: invocation.status });
    return countsAsError(invocation) ? 'error' : 'ok';
  });
  for (const node of spared) {
    invocations.set(node, { ...idOf(node), status: 'Terminated', reason: `more than ${rate.maxErrors} nodes failed (MaxErrors)` });
  }
  const all = nodes.map(node => invocations.get(node)!);
  return { commandId, documentName, status: commandStatus(all, rate.maxErrors), invocations: all };
}

/** The same, but says when a node has begun. */
export function acknowledging(systems: Systems, acknowledged: () => void): Systems {
  return {
    ...systems,
    execute: (node, command) => {
      acknowledged();
      return systems.execute(node, command);
    },
  };
}

/** Whether a role may have the document run on that node. */
export function mayReach({ template, iam }: Systems, roleArn: string, node: CommandTarget): Decision {
  const { account, region } = template.environment;
  const tags = Object.fromEntries(Object.entries(node.tags).map(([key, value]) => [`ssm:resourceTag/${key}`, value]));
  return iam.allowed(roleArn, 'ssm:SendCommand', `arn:${template.partition}:ec2:${region}:${account}:instance/${instanceId(node)}`, tags);
}

interface Delivery {
  /** Seconds until the agent must have taken the command. */
  readonly timeout: number;
  /** Where the agent writes the output. */
  readonly logGroup?: string;
}

async function deliver(systems: Systems, document: SsmDocument, values: ParameterValues, node: CommandTarget, commandId: string,
  { timeout, logGroup }: Delivery, timeline: Timeline): Promise<Invocation> {
  if (node.answers === false) {
    // Until then its place in the window is taken.
    await timeline.clock.wait(timeout);
    timeline.add('node-timed-out', `${node.name} did not answer within ${timeout} s`, idOf(node));
    return { ...idOf(node), status: 'DeliveryTimedOut', reason: `the agent did not answer within ${timeout} s (TimeoutSeconds)` };
  }
  if (logGroup !== undefined && node.reachesLogs === false) {
    timeline.add('node-held-up', `${node.name} tries to reach CloudWatch Logs for ${LOGS_UNREACHABLE_SECONDS} s`, idOf(node));
    await timeline.clock.wait(LOGS_UNREACHABLE_SECONDS);
    return invoke(systems, document, values, node, commandId, timeline);
  }
  return invoke(systems, document, values, node, commandId, timeline, output => {
    if (logGroup !== undefined) {
      const stream = `${commandId}/${instanceId(node)}/${document.content.mainSteps[0].name}`;
      systems.logs.write(nodeRole(systems.template, systems.iam, node), logGroup, stream, output);
    }
  });
}

/** Runs a document on a node that answers. */
export async function invoke(systems: Systems, document: SsmDocument, values: ParameterValues, node: CommandTarget,
  commandId: string, timeline: Timeline, onOutput: (all: CommandOutput) => void = () => undefined): Promise<Invocation> {
  const id = idOf(node);
  const role = nodeRole(systems.template, systems.iam, node);
  const managed = role === undefined ? undefined : systems.iam.allowed(role, 'ssmmessages:OpenControlChannel', '*');
  if (managed && !managed.allowed) {
    return { ...id, status: 'Undeliverable', reason: `no managed node: ${managed.reason}` };
  }
  const command = renderCommand(document, values, {
    platform: node.platform ?? 'Linux',
    version: node.agent ?? 'current',
    env: { AWS_SSM_INSTANCE_ID: id.instanceId, AWS_SSM_REGION_NAME: systems.template.environment.region, SSM_COMMAND_ID: commandId },
  });
  if (!command) {
    // To the agent, skipped is a form of success.
    return { ...id, status: 'Success', reason: `skipped: ${document.name} is not for ${node.platform}` };
  }
  timeline.add('node-started', `${node.name} runs ${document.name}`, id);
  const { all, result } = await runScript(node, command, systems.execute, timeline);
  onOutput(all);
  timeline.add('node-finished', `${node.name} ${result.status} (exit code ${all.exitCode}, ${all.seconds.toFixed(1)} s)`, { ...id, exitCode: all.exitCode });
  return { ...id, ...result, command };
}

export function idOf(node: CommandTarget): { node: string; instanceId: string } {
  return { node: node.name, instanceId: instanceId(node) };
}
