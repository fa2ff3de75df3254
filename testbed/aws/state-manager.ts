import { randomUUID } from 'node:crypto';
import { countsAsError } from './command-status';
import { Refused } from './errors';
import type { CommandTarget } from './fleet';
import { select } from './fleet';
import { fromApi } from './parameters';
import { dispatch, rateControl } from './rate-control';
import type { Invocation, Systems } from './run-command';
import { acknowledging, idOf, invoke, mayReach } from './run-command';
import type { Timeline } from './timeline';
import type { Value } from './value';

export interface AssociationResult {
  readonly association: string;
  /** Pending: some of its nodes don't answer, the others succeeded. */
  readonly status: 'Success' | 'Failed' | 'Pending';
  /** Why State Manager could not dispatch it. */
  readonly reason?: string;
  readonly invocations: Invocation[];
}

interface Association {
  readonly logicalId: string;
  readonly properties: Record<string, Value>;
}

/** State Manager: the associations of a template. */
export class StateManager {
  private readonly associations: Association[];
  private readonly busy = new Map<string, Promise<unknown>>();

  constructor(private readonly systems: Systems, private readonly startDelay: boolean) {
    this.associations = systems.template.resources('AWS::SSM::Association');
    this.associations.forEach(association => this.check(association));
  }

  /** A scheduled run of every association, on all nodes it selects. */
  async runOnce(timeline: Timeline, execute: Systems['execute']): Promise<AssociationResult[]> {
    const results: AssociationResult[] = [];
    for (const association of this.associations) {
      results.push(await this.run(association, this.systems.fleet, timeline, execute));
    }
    return results;
  }

  /** What happens when a node comes online for the first time. */
  async nodeOnline(node: CommandTarget, timeline: Timeline, execute: Systems['execute']): Promise<AssociationResult[]> {
    const results: AssociationResult[] = [];
    for (const association of this.associations) {
      // ApplyOnlyAtCronInterval suppresses the run on new nodes as well.
      const selected = select(association.logicalId, [node], association.properties.Targets).length > 0;
      if (selected && !association.properties.ApplyOnlyAtCronInterval) {
        results.push(await this.run(association, [node], timeline, execute));
      }
    }
    return results;
  }

  private async run({ logicalId, properties }: Association, fleet: readonly CommandTarget[], timeline: Timeline, execute: Systems['execute']): Promise<AssociationResult> {
    const document = this.document(logicalId, properties.Name);
    const given = fromApi(logicalId, document.parameters, properties.Parameters ?? {});
    const values = document.withDefaults(this.startDelay || !('StartDelaySeconds' in given) ? given : { ...given, StartDelaySeconds: '0' });
    const nodes = select(logicalId, fleet, properties.Targets);
    const rate = rateControl(logicalId, properties.MaxConcurrency ?? '100%', properties.MaxErrors ?? '100%', nodes.length);
    timeline.add('association-started', `${logicalId} on ${nodes.map(node => node.name).join(', ') || 'no node'}`);
    const role: string | undefined = properties.AssociationDispatchAssumeRole;
    const denied = role === undefined ? undefined : this.deniedTo(role, properties.Name);
    if (denied !== undefined) {
      return { association: logicalId, status: 'Failed', reason: denied, invocations: [] };
    }
    const invocations = new Map<CommandTarget, Invocation>();
    const spared = await dispatch(nodes, rate, async (node, acknowledged) => {
      const invocation = await this.dispatchTo(node, role, () =>
        invoke(acknowledging({ ...this.systems, execute }, acknowledged), document, values, node, randomUUID(), timeline));
      invocations.set(node, invocation);
      return countsAsError(invocation) ? 'error' : 'ok';
    });
    for (const node of spared) {
      invocations.set(node, { ...idOf(node), status: 'Terminated', reason: `more than ${rate.maxErrors} nodes failed (MaxErrors)` });
    }
    const all = nodes.map(node => invocations.get(node)!);
    return { association: logicalId, status: associationStatus(all), invocations: all };
  }

  private async dispatchTo(node: CommandTarget, role: string | undefined, run: () => Promise<Invocation>): Promise<Invocation> {
    const permission = role === undefined ? undefined : mayReach(this.systems, role, node);
    if (permission && !permission.allowed) {
      return { ...idOf(node), status: 'AccessDenied', reason: permission.reason };
    }
    // No delivery ends: the agent asks for its associations when it is back.
    return node.answers === false ? { ...idOf(node), status: 'Pending', reason: 'the agent does not answer' } : this.oneAtATime(node, run);
  }

  /** What State Manager needs of the role that dispatches an association. The form of its aws:SourceArn is not known, so there is none. */
  private deniedTo(role: string, documentName: string): string | undefined {
    const { template, iam } = this.systems;
    const { account, region } = template.environment;
    return [
      iam.trusts(role, 'ssm.amazonaws.com', { 'aws:SourceAccount': account }),
      iam.allowed(role, 'ssm:SendCommand', `arn:${template.partition}:ssm:${region}:${account}:document/${documentName}`),
    ].find(({ allowed }) => !allowed)?.reason;
  }

  // The agent runs one association at a time.
  private async oneAtATime<T>(node: CommandTarget, job: () => Promise<T>): Promise<T> {
    const before = this.busy.get(node.name) ?? Promise.resolve();
    const run = before.then(job);
    this.busy.set(node.name, run.catch(() => undefined));
    return run;
  }

  private check({ logicalId, properties }: Association): void {
    const document = this.document(logicalId, properties.Name);
    document.withDefaults(fromApi(logicalId, document.parameters, properties.Parameters ?? {}));
    select(logicalId, [], properties.Targets);
    rateControl(logicalId, properties.MaxConcurrency ?? '100%', properties.MaxErrors ?? '100%', 0);
    const schedule = properties.ScheduleExpression;
    const [, count, unit] = /^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$/.exec(schedule ?? '') ?? [];
    if (schedule !== undefined && count === undefined && !/^(cron|at)\(.+\)$/.test(schedule)) {
      throw new Refused(logicalId, 'ScheduleExpression must be rate(N unit), cron(…) or at(…)', schedule);
    }
    if (unit?.startsWith('minute') && Number(count) < 30) {
      throw new Refused(logicalId, 'a rate must be 30 minutes or more', schedule);
    }
    // CloudFormation would wait for a success that no node can report yet.
    if (properties.WaitForSuccessTimeoutSeconds !== undefined) {
      throw new Refused(logicalId, 'WaitForSuccessTimeoutSeconds fails a deployment that has no nodes yet', properties.WaitForSuccessTimeoutSeconds);
    }
  }

  private document(logicalId: string, name: string) {
    const document = this.systems.documents.get(name);
    if (document?.type !== 'Command') {
      throw new Refused(logicalId, 'InvalidDocument: no such Command document', name);
    }
    return document;
  }
}

function associationStatus(invocations: Invocation[]): AssociationResult['status'] {
  const rest = invocations.filter(({ status }) => status !== 'Success');
  return rest.length === 0 ? 'Success' : rest.every(({ status }) => status === 'Pending') ? 'Pending' : 'Failed';
}
