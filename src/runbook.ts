import { Aws, Stack } from 'aws-cdk-lib';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { PUSHED_AT_PATTERN } from './command-document';
import { REGION } from './ecr-hosts';
import { REPOSITORY_PATTERN, TAG_PATTERN } from './image-reference';
import type { NodeLimit } from './node-limit';
import type { NodeTarget } from './node-targets';
import { renderTargets } from './node-targets';

/**
 * How long a command waits for a node that does not answer, beside the time that a run may take; an hour where it is not said. It holds
 * a place among the nodes that are worked on; what it misses comes with the next reconcile.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
 */
const DELIVERY_SECONDS = 600;

export interface RunbookProps {
  readonly documentName: string;
  readonly automationRoleArn: string;
  readonly target: NodeTarget;
  readonly maxConcurrency: NodeLimit;
  readonly maxErrors: NodeLimit;
}

/**
 * The SSM Automation runbook that a push starts: one `aws:runCommand` step, which knows several tags, a concurrency and an
 * error budget. The Run Command target of EventBridge knows none of these.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-runcommand.html
 */
export class Runbook extends Construct {
  public readonly runbookName: string;
  /** ARN under which EventBridge starts the runbook. */
  public readonly automationDefinitionArn: string;

  constructor(scope: Construct, id: string, props: RunbookProps) {
    super(scope, id);

    const pushed = `{{ Account }}.dkr.ecr.{{ Region }}.${Aws.URL_SUFFIX}/{{ Repository }}:{{ Tag }}`;
    const runbook = new CfnDocument(this, 'Resource', {
      documentType: 'Automation',
      updateMethod: 'NewVersion',
      content: {
        schemaVersion: '0.3',
        description: 'Sends an image that was pushed to ECR to the EKS nodes that want it (cdk-eks-image-prefetcher)',
        assumeRole: '{{ AutomationAssumeRole }}',
        parameters: {
          Repository: { type: 'String', description: 'The repository that was pushed to', allowedPattern: REPOSITORY_PATTERN },
          Tag: { type: 'String', description: 'The tag that was pushed', allowedPattern: TAG_PATTERN },
          Account: { type: 'String', description: 'Account of the repository', default: Aws.ACCOUNT_ID, allowedPattern: '^[0-9]{12}$' },
          Region: { type: 'String', description: 'Region of the repository', default: Aws.REGION, allowedPattern: `^${REGION}$` },
          PushedAt: { type: 'String', description: 'When it was pushed, in UTC; empty when nobody knows', default: '', allowedPattern: PUSHED_AT_PATTERN },
          AutomationAssumeRole: { type: 'String', description: 'The role that sends the command', default: props.automationRoleArn },
        },
        mainSteps: [{
          name: 'prefetchPushedImage',
          action: 'aws:runCommand',
          // The longest a command may take; each node has its own, shorter limit.
          timeoutSeconds: 172_800,
          isEnd: true,
          inputs: {
            DocumentName: props.documentName,
            Parameters: { Pushed: [pushed], PushedAt: ['{{ PushedAt }}'] },
            Targets: renderTargets(props.target).map(({ key, values }) => ({ Key: key, Values: values })),
            MaxConcurrency: props.maxConcurrency._render(),
            MaxErrors: props.maxErrors._render(),
            TimeoutSeconds: DELIVERY_SECONDS,
          },
        }],
      },
    });
    this.runbookName = runbook.ref;
    this.automationDefinitionArn = Stack.of(this).formatArn({ service: 'ssm', resource: 'automation-definition', resourceName: `${runbook.ref}:$DEFAULT` });
  }
}
