import { Aws, Stack } from 'aws-cdk-lib';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { CommandDocument } from './command-document';
import { REGION } from './ecr-hosts';
import { REPOSITORY_PATTERN, TAG_PATTERN } from './image-reference';
import { NodeTarget, renderTargets } from './node-targets';

export interface PushRunbookProps {
  readonly document: CommandDocument;
  readonly target: NodeTarget;
  readonly maxConcurrency: string;
  readonly maxErrors: string;
  readonly logGroupName: string;
}

/**
 * The SSM Automation runbook that a push starts: one `aws:runCommand` step, which knows several tags, a concurrency, an
 * error budget and a log group. The Run Command target of EventBridge knows none of these.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-runcommand.html
 */
export class PushRunbook extends Construct {
  /** ARN under which EventBridge starts the runbook. */
  public readonly automationDefinitionArn: string;
  public readonly documentArn: string;
  public readonly documentName: string;

  constructor(scope: Construct, id: string, props: PushRunbookProps) {
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
          AutomationAssumeRole: { type: 'String', description: 'The role that sends the command' },
          Account: { type: 'String', description: 'Account of the repository', allowedPattern: '^[0-9]{12}$' },
          Region: { type: 'String', description: 'Region of the repository', allowedPattern: `^${REGION}$` },
          Repository: { type: 'String', description: 'The repository that was pushed to', allowedPattern: REPOSITORY_PATTERN },
          Tag: { type: 'String', description: 'The tag that was pushed', allowedPattern: TAG_PATTERN },
        },
        mainSteps: [{
          name: 'prefetchPushedImage',
          action: 'aws:runCommand',
          // The longest a command may take; each node has its own, shorter limit.
          timeoutSeconds: 172_800,
          isEnd: true,
          inputs: {
            DocumentName: props.document.documentName,
            Parameters: { Pushed: [pushed] },
            Targets: renderTargets(props.target).map(({ key, values }) => ({ Key: key, Values: values })),
            MaxConcurrency: props.maxConcurrency,
            MaxErrors: props.maxErrors,
            CloudWatchOutputConfig: { CloudWatchOutputEnabled: true, CloudWatchLogGroupName: props.logGroupName },
          },
        }],
      },
    });
    this.documentName = runbook.ref;
    const stack = Stack.of(this);
    this.documentArn = stack.formatArn({ service: 'ssm', resource: 'document', resourceName: runbook.ref });
    this.automationDefinitionArn = stack.formatArn({ service: 'ssm', resource: 'automation-definition', resourceName: `${runbook.ref}:$DEFAULT` });
  }
}
