import { Annotations, Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { aws_events, aws_sqs } from 'aws-cdk-lib/interfaces';
import { Construct } from 'constructs';
import type { ImageSelectionConfig } from './image-selection-config';
import { numbered } from './numbered';
import { pushPattern } from './push-pattern';
import { pushSources } from './push-sources';
import type { Runbooks } from './runbooks';
import { createEventsRole, startStatements } from './service-roles';

const MOST_TARGETS_OF_RULE = 5;

export interface PushProps {
  readonly images: ImageSelectionConfig[];
  readonly runbooks: Runbooks;
  readonly deadLetterQueue?: aws_sqs.IQueueRef;
  readonly eventBus?: aws_events.IEventBusRef;
}

/** From an image pushed to ECR to the runbooks: the rules, their role, and a queue for what could not be started. */
export class Push extends Construct {
  /** None when no image can be pushed where its event arrives. */
  public readonly rules: events.Rule[];
  public readonly role?: iam.IRole;
  public readonly deadLetterQueue?: sqs.IQueue;

  constructor(scope: Construct, id: string, props: PushProps) {
    super(scope, id);

    const sources = pushSources(this, props.images, props.eventBus);
    this.rules = [];
    if (sources.length === 0) {
      return;
    }

    const { all: runbooks, role: automationRole } = props.runbooks;
    const role = this.role = createEventsRole(this, 'Role');
    startStatements(this, runbooks.map(({ runbookName }) => runbookName), automationRole).forEach(statement => role.addToPrincipalPolicy(statement));
    const deadLetterQueue = this.deadLetterQueue = deadLetters(this, props.deadLetterQueue);

    for (const source of sources) {
      for (let from = 0; from < runbooks.length; from += MOST_TARGETS_OF_RULE) {
        this.rules.push(new events.Rule(this, numbered('Rule', this.rules.length), {
          description: 'Prefetches images that are pushed to ECR',
          eventBus: source.eventBus,
          eventPattern: pushPattern(source.account, source.region, source.images),
          targets: runbooks.slice(from, from + MOST_TARGETS_OF_RULE).map(runbook => ({
            bind: () => ({
              arn: runbook.automationDefinitionArn,
              role,
              input: automationInput(automationRole.roleArn),
              deadLetterConfig: { arn: deadLetterQueue.queueArn },
            }),
          })),
        }));
      }
    }
  }
}

/** An automation takes every value as a list. */
function automationInput(automationRoleArn: string): events.RuleTargetInput {
  return events.RuleTargetInput.fromObject({
    AutomationAssumeRole: [automationRoleArn],
    Account: [events.EventField.fromPath('$.account')],
    Region: [events.EventField.fromPath('$.region')],
    Repository: [events.EventField.fromPath('$.detail.repository-name')],
    Tag: [events.EventField.fromPath('$.detail.image-tag')],
    PushedAt: [events.EventField.fromPath('$.time')],
  });
}

function deadLetters(scope: Construct, given?: aws_sqs.IQueueRef): sqs.IQueue {
  const queue = given === undefined
    ? new sqs.Queue(scope, 'DeadLetterQueue', { encryption: sqs.QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) })
    : 'addToResourcePolicy' in given ? given as sqs.IQueue : sqs.Queue.fromQueueArn(scope, 'DeadLetterQueue', given.queueRef.queueArn);
  const { statementAdded } = queue.addToResourcePolicy(new iam.PolicyStatement({
    principals: [new iam.ServicePrincipal('events.amazonaws.com')],
    actions: ['sqs:SendMessage'],
    resources: [queue.queueArn],
    conditions: {
      // The queue may be in a stack of another account.
      StringEquals: { 'aws:SourceAccount': Stack.of(scope).account },
      ArnLike: { 'aws:SourceArn': Stack.of(scope).formatArn({ service: 'events', resource: 'rule', resourceName: '*' }) },
    },
  }));
  if (!statementAdded) {
    Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:deadLetterQueuePolicy',
      `the policy of deadLetterQueue '${given!.node.path}' cannot be changed from here: let events.amazonaws.com send messages to it (sqs:SendMessage) for the rules of this account where the queue is made`);
  }
  return queue;
}
