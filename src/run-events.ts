import type { EventPattern, OnEventOptions } from 'aws-cdk-lib/aws-events';
import { Rule } from 'aws-cdk-lib/aws-events';
import type { Construct } from 'constructs';
import { validateOptions } from './validate-kind';

/**
 * A run of the command ended badly on a node: one that a push sent, or one of the association.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
 */
export function runFailed(documentName: string): EventPattern {
  return {
    source: ['aws.ssm'],
    detailType: ['EC2 Command Invocation Status-change Notification', 'EC2 State Manager Instance Association State Change'],
    detail: { 'document-name': [documentName], 'status': ['Failed', 'TimedOut'] },
  };
}

/** A push went to all nodes, or as far as it got: `detail.Status` says how it ended. */
export function pushFinished(runbookNames: string[]): EventPattern {
  return {
    source: ['aws.ssm'],
    detailType: ['EC2 Automation Execution Status-change Notification'],
    detail: { Definition: runbookNames, Status: ['Success', 'Failed', 'TimedOut', 'Cancelled'] },
  };
}

export function ruleOn(scope: Construct, id: string, pattern: EventPattern, options: OnEventOptions): Rule {
  validateOptions(`rule '${id}'`, options);
  const rule = new Rule(scope, id, { description: options.description, ruleName: options.ruleName, crossStackScope: options.crossStackScope });
  rule.addEventPattern(options.eventPattern);
  rule.addEventPattern(pattern);
  rule.addTarget(options.target);
  return rule;
}
