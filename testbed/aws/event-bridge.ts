import { Refused } from './errors';
import { atPath, checkInputTransformer, transformInput } from './input-transformer';
import type { Template } from './template';
import type { Value } from './value';

export type Event = Record<string, Value>;

/** AWS's event-ruler, or something that answers like it. */
export interface PatternMatcher {
  matches(pattern: object, event: object): Promise<boolean> | boolean;
}

/** What EventBridge hands to a target of a rule that matched. */
export interface Delivery {
  readonly rule: string;
  readonly ruleArn: string;
  readonly targetId: string;
  readonly targetArn: string;
  /** JSON text. */
  readonly input: string;
  readonly roleArn?: string;
  readonly deadLetterArn?: string;
}

/** The rules of a template. */
export class EventBridge {
  private readonly rules;

  constructor(private readonly template: Template, private readonly matcher: PatternMatcher) {
    this.rules = template.resources('AWS::Events::Rule');
    for (const { logicalId, properties } of this.rules) {
      const targets: Value[] = properties.Targets ?? [];
      if (targets.length > 5) {
        throw new Refused(logicalId, 'a rule has at most 5 targets', targets.length);
      }
      if (JSON.stringify(properties.EventPattern ?? {}).length > 4096) {
        throw new Refused(logicalId, 'an event pattern has at most 4096 characters', JSON.stringify(properties.EventPattern).length);
      }
      targets.forEach(target => checkTarget(`${logicalId}.${target.Id}`, target));
    }
  }

  /** What goes to which target when the event arrives on a bus. */
  async route(event: Event, bus = 'default'): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for (const { logicalId, properties } of this.rules) {
      const onBus = (properties.EventBusName ?? 'default').split('/').pop() === bus.split('/').pop();
      if (!onBus || properties.State === 'DISABLED' || !properties.EventPattern
        || !await this.matcher.matches(properties.EventPattern, event)) {
        continue;
      }
      const ruleArn = this.template.attribute(logicalId, 'Arn');
      for (const target of properties.Targets ?? []) {
        deliveries.push({
          rule: logicalId,
          ruleArn,
          targetId: target.Id,
          targetArn: target.Arn,
          input: targetInput(target, event, ruleArn),
          roleArn: target.RoleArn ?? properties.RoleArn,
          deadLetterArn: target.DeadLetterConfig?.Arn,
        });
      }
    }
    return deliveries;
  }
}

function checkTarget(name: string, target: Value): void {
  const inputs = ['Input', 'InputPath', 'InputTransformer'].filter(key => target[key] !== undefined);
  if (inputs.length > 1) {
    throw new Refused(name, 'only one of Input, InputPath and InputTransformer may be given', inputs);
  }
  if (target.InputTransformer) {
    checkInputTransformer(name, target.InputTransformer);
  }
}

function targetInput(target: Value, event: Event, ruleArn: string): string {
  if (target.InputTransformer) {
    return transformInput(target.InputTransformer, event, ruleArn);
  }
  return target.Input ?? JSON.stringify(target.InputPath ? atPath(event, target.InputPath) : event);
}
