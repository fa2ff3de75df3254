import type { AutomationResult } from './automation';
import { startAutomation } from './automation';
import type { RenderedCommand } from './document';
import { documentsOf } from './document';
import { Refused } from './errors';
import type { Delivery, Event, PatternMatcher } from './event-bridge';
import { EventBridge } from './event-bridge';
import type { CommandOutput, CommandTarget } from './fleet';
import { Iam } from './iam';
import { LogGroups } from './log-groups';
import type { Systems } from './run-command';
import type { AssociationResult } from './state-manager';
import { StateManager } from './state-manager';
import { Template } from './template';
import type { ProgressListener, Step } from './timeline';
import { Timeline } from './timeline';
import type { Environment, Value } from './value';

export interface ControlPlaneProps extends Environment {
  readonly matcher: PatternMatcher;
  /** The managed nodes; more may be pushed later. */
  readonly fleet: CommandTarget[];
  /** Whether associations let nodes wait before they start, up to two minutes each. @default - they don't, so that tests and demo go on */
  readonly startDelay?: boolean;
}

export interface EventOptions {
  /** Event bus the event arrives on, default: the default bus. */
  readonly bus?: string;
  readonly onProgress?: ProgressListener;
}

/** What became of an event at one target of one rule. */
export interface DeliveryResult extends Delivery {
  /** Failed: the target refused it (then it goes to the dead-letter queue) or the runbook failed. */
  readonly status: 'Success' | 'Failed';
  readonly reason?: string;
  readonly runbook?: AutomationResult;
}

export interface EventResult {
  readonly deliveries: DeliveryResult[];
  readonly timeline: Step[];
}

export interface ReconcileResult {
  readonly associations: AssociationResult[];
  readonly timeline: Step[];
}

/** What one node would run. */
export interface PlannedCommand extends RenderedCommand {
  readonly node: string;
}

type Execute = Systems['execute'];

const onNode: Execute = (node, { script, env, timeoutSeconds }) => node.run(script, env, timeoutSeconds);

/** EventBridge, Automation, Run Command, State Manager and IAM, working from a synthesised template. */
export class ControlPlane {
  readonly template: Template;
  readonly iam: Iam;
  readonly logs: LogGroups;
  private readonly systems: Omit<Systems, 'execute'>;
  private readonly eventBridge: EventBridge;
  private readonly stateManager: StateManager;

  /** Throws what a deployment of the template would be refused for. */
  constructor(source: Value, props: ControlPlaneProps) {
    this.template = new Template(source, props);
    this.iam = new Iam(this.template);
    this.logs = new LogGroups(this.template, this.iam);
    this.systems = { template: this.template, iam: this.iam, documents: documentsOf(this.template), fleet: props.fleet, logs: this.logs };
    this.eventBridge = new EventBridge(this.template, props.matcher);
    this.stateManager = new StateManager({ ...this.systems, execute: onNode }, props.startDelay ?? false);
  }

  /** An event arrives; returns when everything it set off has ended. */
  async putEvent(event: Event, options: EventOptions = {}): Promise<EventResult> {
    return this.handle(event, options, { ...this.systems, execute: onNode });
  }

  /** Somebody with a role starts a runbook; returns when it has ended. */
  async startAutomation(documentName: string, parameters: Record<string, string[]>, callerArn: string,
    onProgress?: ProgressListener): Promise<AutomationResult> {
    return startAutomation({ ...this.systems, execute: onNode }, documentName, parameters, callerArn, new Timeline(onProgress));
  }

  /** A scheduled run of the associations. */
  async reconcile(onProgress?: ProgressListener): Promise<ReconcileResult> {
    const timeline = new Timeline(onProgress);
    return { associations: await this.stateManager.runOnce(timeline, onNode), timeline: timeline.steps };
  }

  /** A node's agent reports for the first time. */
  async nodeOnline(node: CommandTarget, onProgress?: ProgressListener): Promise<ReconcileResult> {
    const timeline = new Timeline(onProgress);
    return { associations: await this.stateManager.nodeOnline(node, timeline, onNode), timeline: timeline.steps };
  }

  /** What each node would run for an event, without running it. */
  async explain(event: Event, options: EventOptions = {}): Promise<EventResult & { commands: PlannedCommand[] }> {
    const { commands, execute } = recorder();
    // Nothing is written to the log groups either.
    const logs = new LogGroups(this.template, this.iam);
    return { ...await this.handle(event, options, { ...this.systems, logs, execute }), commands };
  }

  /** What each node would run at the next reconcile, without running it. */
  async explainReconcile(onProgress?: ProgressListener): Promise<ReconcileResult & { commands: PlannedCommand[] }> {
    const { commands, execute } = recorder();
    const timeline = new Timeline(onProgress);
    return { associations: await this.stateManager.runOnce(timeline, execute), timeline: timeline.steps, commands };
  }

  private async handle(event: Event, { bus, onProgress }: EventOptions, systems: Systems): Promise<EventResult> {
    const timeline = new Timeline(onProgress);
    const deliveries = await this.eventBridge.route(event, bus);
    deliveries.forEach(({ rule, input }) => timeline.add('rule-matched', `${rule} -> ${input}`, { rule }));
    const results = await Promise.all(deliveries.map(delivery => this.deliver(delivery, systems, timeline)));
    return { deliveries: results, timeline: timeline.steps };
  }

  private async deliver(delivery: Delivery, systems: Systems, timeline: Timeline): Promise<DeliveryResult> {
    try {
      const { account, region } = this.template.environment;
      const name = new RegExp(`^arn:${this.template.partition}:ssm:${region}:${account}:automation-definition/([A-Za-z0-9_.-]+)(:\\S+)?$`)
        .exec(delivery.targetArn)?.[1];
      if (name === undefined) {
        throw new Refused(`${delivery.rule}.${delivery.targetId}`, 'this stand-in knows only Automation runbooks of this account and region as targets', delivery.targetArn);
      }
      if (delivery.roleArn === undefined) {
        throw new Refused(`${delivery.rule}.${delivery.targetId}`, 'a runbook as target needs a RoleArn');
      }
      this.iam.demand(delivery.rule, this.iam.trusts(delivery.roleArn, 'events.amazonaws.com', { 'aws:SourceAccount': account, 'aws:SourceArn': delivery.ruleArn }));
      const runbook = await startAutomation(systems, name, parseInput(delivery), delivery.roleArn, timeline);
      return { ...delivery, status: runbook.status, runbook };
    } catch (error) {
      if (!(error instanceof Refused)) {
        throw error;
      }
      timeline.add('delivery-refused', error.message, { rule: delivery.rule, deadLetterArn: delivery.deadLetterArn });
      return { ...delivery, status: 'Failed', reason: error.message };
    }
  }
}

function parseInput({ rule, targetId, input }: Delivery): Record<string, string[]> {
  const parsed = attempt(() => JSON.parse(input));
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new Refused(`${rule}.${targetId}`, 'the input of a runbook must be a JSON object', input);
  }
  return parsed;
}

function attempt<T>(job: () => T): T | undefined {
  try {
    return job();
  } catch {
    return undefined;
  }
}

function recorder(): { commands: PlannedCommand[]; execute: Execute } {
  const commands: PlannedCommand[] = [];
  const nothing: CommandOutput = { exitCode: 0, stdout: '', stderr: '', seconds: 0 };
  return {
    commands,
    execute: async (node, command) => {
      commands.push({ node: node.name, ...command });
      return nothing;
    },
  };
}
