import { randomUUID } from 'node:crypto';
import type { RenderedCommand, SsmDocument } from './document';
import { renderCommand } from './document';
import { Refused } from './errors';
import type { CommandOutput, CommandTarget, Target } from './fleet';
import { instanceId, nodeRole, select } from './fleet';
import type { Iam } from './iam';
import type { LogGroups } from './log-groups';
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
  readonly status: 'Success' | 'Failed' | 'ExecutionTimedOut' | 'AccessDenied' | 'Undeliverable' | 'InvalidPlatform' | 'Terminated';
  readonly reason?: string;
  readonly command?: RenderedCommand;
  readonly output?: CommandOutput;
}

export interface CommandResult {
  readonly commandId: string;
  readonly documentName: string;
  readonly status: 'Success' | 'Failed' | 'Incomplete' | 'NoInstancesInTag';
  readonly invocations: Invocation[];
}

const KNOWN = ['DocumentName', 'DocumentVersion', 'Parameters', 'InstanceIds', 'Targets', 'MaxConcurrency', 'MaxErrors',
  'TimeoutSeconds', 'CloudWatchOutputConfig', 'Comment'];

/** Run Command: what `ssm:SendCommand` by a role does to the fleet. */
export async function sendCommand(systems: Systems, request: SendCommandRequest, roleArn: string, timeline: Timeline): Promise<CommandResult> {
  const { template, iam, documents, logs } = systems;
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
  timeline.add('command-sent', `${documentName} to ${nodes.map(node => node.name).join(', ') || 'no node'}`, { commandId });

  const invocations = new Map<CommandTarget, Invocation>();
  const spared = await dispatch(nodes, rate, async node => {
    const instance = `arn:${template.partition}:ec2:${region}:${account}:instance/${instanceId(node)}`;
    const tags = Object.fromEntries(Object.entries(node.tags).map(([key, value]) => [`ssm:resourceTag/${key}`, value]));
    const permission = iam.allowed(roleArn, 'ssm:SendCommand', instance, tags);
    const invocation = permission.allowed
      ? await invoke(systems, document, values, node, commandId, timeline)
      : { node: node.name, instanceId: instanceId(node), status: 'AccessDenied' as const, reason: permission.reason };
    invocations.set(node, invocation);
    if (logGroup && invocation.output) {
      const stream = `${commandId}/${instanceId(node)}/${document.content.mainSteps[0].name}`;
      logs.write(nodeRole(template, iam, node), logGroup, stream, invocation.output);
    }
    return countsAsError(invocation) ? 'error' : 'ok';
  });
  for (const node of spared) {
    invocations.set(node, { node: node.name, instanceId: instanceId(node), status: 'Terminated', reason: `more than ${rate.maxErrors} nodes failed (MaxErrors)` });
  }
  const all = nodes.map(node => invocations.get(node)!);
  return { commandId, documentName, status: commandStatus(all, rate.maxErrors), invocations: all };
}

/** Delivers a document to one node and runs it there. */
export async function invoke(systems: Systems, document: SsmDocument, values: Record<string, string | string[]>, node: CommandTarget,
  commandId: string, timeline: Timeline): Promise<Invocation> {
  const id = { node: node.name, instanceId: instanceId(node) };
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
    return { ...id, status: 'InvalidPlatform', reason: `${document.name} is not for ${node.platform}` };
  }
  timeline.add('node-started', `${node.name} runs ${document.name}`, id);
  const output = await systems.execute(node, command).catch((error: Error): CommandOutput =>
    ({ exitCode: -1, stdout: '', stderr: `the agent could not run the script: ${error.message}`, seconds: 0 }));
  const status = output.timedOut ? 'ExecutionTimedOut' : output.exitCode === 0 ? 'Success' : 'Failed';
  timeline.add('node-finished', `${node.name} ${status} (exit code ${output.exitCode}, ${output.seconds.toFixed(1)} s)`, { ...id, exitCode: output.exitCode });
  return { ...id, status, command, output, ...(status !== 'Success' && { reason: whyFailed(output, command) }) };
}

function whyFailed({ exitCode, timedOut }: CommandOutput, { timeoutSeconds }: RenderedCommand): string {
  return timedOut ? `ended after ${timeoutSeconds} s` : `exit code ${exitCode}${exitCode === 194 ? ', which reboots a node' : ''}`;
}

/** What was never delivered (or not allowed) does not count against MaxErrors. */
export function countsAsError({ status }: Invocation): boolean {
  return status === 'Failed' || status === 'ExecutionTimedOut';
}

function commandStatus(invocations: Invocation[], maxErrors: number): CommandResult['status'] {
  const failed = invocations.filter(countsAsError).length;
  if (invocations.length === 0) {
    return 'NoInstancesInTag';
  }
  if (failed > maxErrors) {
    return 'Failed';
  }
  return invocations.every(({ status }) => status === 'Success') ? 'Success' : 'Incomplete';
}
