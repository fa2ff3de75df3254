import { randomUUID } from 'node:crypto';
import { Refused } from './errors';
import type { CommandTarget } from './fleet';
import { instanceId, select } from './fleet';
import { fromApi } from './parameters';
import { dispatch, rateControl } from './rate-control';
import type { Invocation, Systems } from './run-command';
import { countsAsError, invoke } from './run-command';
import type { Timeline } from './timeline';
import type { Value } from './value';

export interface AssociationResult {
  readonly association: string;
  readonly status: 'Success' | 'Failed';
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
    const invocations = new Map<CommandTarget, Invocation>();
    const spared = await dispatch(nodes, rate, async node => {
      const invocation = await this.oneAtATime(node, () =>
        invoke({ ...this.systems, execute }, document, values, node, randomUUID(), timeline));
      invocations.set(node, invocation);
      return countsAsError(invocation) ? 'error' : 'ok';
    });
    for (const node of spared) {
      invocations.set(node, { node: node.name, instanceId: instanceId(node), status: 'Terminated', reason: `more than ${rate.maxErrors} nodes failed (MaxErrors)` });
    }
    const all = nodes.map(node => invocations.get(node)!);
    return { association: logicalId, status: all.every(({ status }) => status === 'Success') ? 'Success' : 'Failed', invocations: all };
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
