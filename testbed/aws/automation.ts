import { randomUUID } from 'node:crypto';
import { Refused } from './errors';
import { fromApi, substitute } from './parameters';
import type { CommandResult, Systems } from './run-command';
import { sendCommand } from './run-command';
import type { Timeline } from './timeline';
import type { Value } from './value';

export interface StepResult {
  readonly name: string;
  readonly status: 'Success' | 'Failed';
  readonly reason?: string;
  readonly command?: CommandResult;
}

export interface AutomationResult {
  readonly executionId: string;
  readonly documentName: string;
  readonly status: 'Success' | 'Failed';
  readonly steps: StepResult[];
}

const STEP_KEYS = ['name', 'action', 'description', 'inputs', 'onFailure', 'isEnd', 'isCritical', 'timeoutSeconds'];

/** Automation: runs a runbook for a caller that starts it with arrays of strings. */
export async function startAutomation(systems: Systems, documentName: string, input: Record<string, string[]>, callerArn: string,
  timeline: Timeline): Promise<AutomationResult> {
  const { template, iam } = systems;
  const { account, region } = template.environment;
  const document = systems.documents.get(documentName);
  if (document?.type !== 'Automation') {
    throw new Refused('StartAutomationExecution', 'AutomationDefinitionNotFound', documentName);
  }
  const executionId = randomUUID();
  const arn = (resource: string) => `arn:${template.partition}:ssm:${region}:${account}:${resource}`;
  // AWS's pages name the first resource, newer ones the other two: a role must be ready for both.
  iam.demand('StartAutomationExecution', ...[`automation-definition/${documentName}:$DEFAULT`, `document/${documentName}`, `automation-execution/${executionId}`]
    .map(resource => iam.allowed(callerArn, 'ssm:StartAutomationExecution', arn(resource))));

  const given = fromApi(documentName, document.parameters, input);
  for (const [name, value] of Object.entries(input)) {
    if (value.length > 50 || value.some(item => item.length < 1 || item.length > 512)) {
      throw new Refused('StartAutomationExecution', `parameter ${name} takes up to 50 strings of 1 to 512 characters`, value);
    }
  }
  const values = document.withDefaults(given);
  const known = {
    ...values,
    'global:ACCOUNT_ID': account,
    'global:REGION': region,
    'automation:EXECUTION_ID': executionId,
  };
  const roleArn: string = substitute(document.content.assumeRole ?? '', known);
  iam.demand('StartAutomationExecution',
    iam.allowed(callerArn, 'iam:PassRole', roleArn, { 'iam:PassedToService': 'ssm.amazonaws.com' }),
    iam.trusts(roleArn, 'ssm.amazonaws.com', { 'aws:SourceAccount': account, 'aws:SourceArn': arn(`automation-execution/${executionId}`) }));

  timeline.add('runbook-started', `${documentName} ${JSON.stringify(input)}`, { executionId });
  const steps: StepResult[] = [];
  let status: AutomationResult['status'] = 'Success';
  for (const step of document.content.mainSteps) {
    const result = await runStep(systems, documentName, step, substitute(step.inputs, known), roleArn, timeline);
    steps.push(result);
    if (result.status === 'Failed') {
      status = step.isCritical === false ? status : 'Failed';
      if ((step.onFailure ?? 'Abort') !== 'Continue') {
        status = 'Failed';
        break;
      }
    }
    if (step.isEnd) {
      break;
    }
  }
  timeline.add('runbook-finished', `${documentName} ${status}`, { executionId });
  return { executionId, documentName, status, steps };
}

async function runStep(systems: Systems, documentName: string, step: Value, inputs: Value, roleArn: string, timeline: Timeline): Promise<StepResult> {
  const where = `${documentName}, step ${step.name}`;
  if (step.action !== 'aws:runCommand') {
    throw new Refused(where, 'this stand-in runs only aws:runCommand', step.action);
  }
  if (!['Abort', 'Continue'].includes(step.onFailure ?? 'Abort')) {
    throw new Refused(where, 'this stand-in knows onFailure Abort and Continue', step.onFailure);
  }
  const unknown = Object.keys(step).filter(key => !STEP_KEYS.includes(key));
  if (unknown.length > 0) {
    throw new Refused(where, `this stand-in knows only ${STEP_KEYS.join(', ')}`, unknown);
  }
  try {
    // The step waits for its command by reading it.
    for (const action of ['ssm:ListCommands', 'ssm:ListCommandInvocations']) {
      systems.iam.demand(where, systems.iam.allowed(roleArn, action, '*'));
    }
    const command = await sendCommand(systems, inputs, roleArn, timeline);
    const status = command.status === 'Success' || command.status === 'NoInstancesInTag' ? 'Success' : 'Failed';
    return { name: step.name, status, command, ...(status === 'Failed' && { reason: `command ${command.status}` }) };
  } catch (error) {
    if (error instanceof Refused) {
      return { name: step.name, status: 'Failed', reason: error.message };
    }
    throw error;
  }
}
