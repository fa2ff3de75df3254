import { AwsSolutionsChecks } from 'cdk-nag';
import { IConstruct } from 'constructs';
import { ImagePrefetcher } from '../../src';

/** A finding of cdk-nag. Paths inside a prefetcher start with `Prefetcher/`, whatever it is called. */
export interface Finding {
  readonly rule: string;
  readonly path: string;
}

/** A finding that stays, and why. */
interface Acknowledged {
  readonly rule: RegExp;
  readonly path?: RegExp;
  readonly reason: string;
}

/** In a prefetcher. */
const OF_PREFETCHERS: Acknowledged[] = [
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    path: /^Prefetcher\/Nodes\/Policy\d*\/Resource$/,
    reason: 'ecr:GetAuthorizationToken takes no resource',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:log-group:<.*>:\*\]$/,
    path: /^Prefetcher\/Nodes\/Policy\d*\/Resource$/,
    reason: 'a node has a log stream of its own, named after its instance, which nobody knows before',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    path: /^Prefetcher\/Runbooks\/Role\/(DefaultPolicy|OverflowPolicy\d+)\/Resource$/,
    reason: 'reading the state of a command (ssm:ListCommands, …) takes no resource',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:ec2:.*:instance\/\*\]$/,
    path: /^Prefetcher\/(Runbooks\/Role|Reconcile\/DispatchRole)(LatePolicy|\/(DefaultPolicy|OverflowPolicy\d+)\/Resource)$/,
    reason: 'instances come and go; a condition on their tags keeps it to the selected nodes',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:ssm:.*:automation-definition\/<.*Runbook.*>:\*\]$/,
    path: /^Prefetcher\/Push\/Role\/(DefaultPolicy|OverflowPolicy\d+)\/Resource$/,
    reason: 'any version of this runbook, and of no other',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:ssm:.*:automation-execution\/\*\]$/,
    path: /^Prefetcher\/Push\/Role\/(DefaultPolicy|OverflowPolicy\d+)\/Resource$/,
    reason: 'an execution has no id before it is started; which runbook may be started is said beside it',
  },
  { rule: /^AwsSolutions-SQS3$/, path: /^Prefetcher\/Push\/DeadLetterQueue\/Resource$/, reason: 'it is the dead-letter queue of the rules, which the check does not see' },
];

/** Beside a prefetcher: what the examples make to have nodes at all. */
const OF_THE_REST: Acknowledged[] = [
  {
    rule: /^AwsSolutions-IAM4\[Policy::arn:.*\/AmazonSSMManagedInstanceCore\]$/,
    reason: 'a prefetcher adds it to the roles of the nodes: what the SSM agent needs changes with the agent, and AWS keeps it up to date',
  },
  {
    rule: /^AwsSolutions-IAM4\[Policy::arn:.*\/Amazon(EKS|EC2ContainerRegistry).*\]$/,
    reason: 'the EKS constructs give clusters and nodes the managed policies that the EKS user guide names',
  },
  { rule: /^AwsSolutions-VPC7$/, reason: 'the VPC that the EKS construct makes; an example shows no flow logs' },
  { rule: /^AwsSolutions-EKS(1|2.*)$/, reason: 'an example\'s cluster; endpoint and logs are not its subject' },
  { rule: /^AwsSolutions-IAM5/, path: /\/Pipeline\//, reason: 'a pipeline that waits reads executions and commands, which have no id before they are started' },
  { rule: /^AwsSolutions-SQS3$/, reason: 'an example\'s queue for letters and messages of a prefetcher' },
  { rule: /^AwsSolutions-(EC26|AS3)$/, reason: 'an example\'s Auto Scaling group; volumes and notifications are not its subject' },
];

/** The findings of AWS Solutions in an app, those of prefetchers apart. */
export function nagFindings(app: IConstruct): { ofPrefetchers: Finding[]; ofTheRest: Finding[] } {
  const findings = new AwsSolutionsChecks().validateScope(app).violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(resource => ({ rule: ruleName, path: resource.constructPath! })));
  const prefetchers = app.node.findAll().filter(construct => construct instanceof ImagePrefetcher).map(construct => construct.node.path);
  const ofPrefetchers = findings.flatMap(finding => {
    const prefetcher = prefetchers.find(path => finding.path.startsWith(`${path}/`));
    return prefetcher ? [{ ...finding, path: `Prefetcher${finding.path.slice(prefetcher.length)}` }] : [];
  });
  return { ofPrefetchers, ofTheRest: findings.filter(({ path }) => !prefetchers.some(prefetcher => path.startsWith(`${prefetcher}/`))) };
}

/** The findings that nobody has given a reason for. */
export function unexplained({ ofPrefetchers, ofTheRest }: ReturnType<typeof nagFindings>): Finding[] {
  return [
    ...ofPrefetchers.filter(finding => !OF_PREFETCHERS.some(one => explains(one, finding))),
    ...ofTheRest.filter(finding => !OF_THE_REST.some(one => explains(one, finding))),
  ];
}

/** The reasons that explain no finding any more. */
export function unneeded(all: ReturnType<typeof nagFindings>[]): string[] {
  return [
    ...OF_PREFETCHERS.filter(one => !all.some(({ ofPrefetchers }) => ofPrefetchers.some(finding => explains(one, finding)))),
    ...OF_THE_REST.filter(one => !all.some(({ ofTheRest }) => ofTheRest.some(finding => explains(one, finding)))),
  ].map(one => one.reason);
}

function explains({ rule, path }: Acknowledged, finding: Finding): boolean {
  return rule.test(finding.rule) && (path?.test(finding.path) ?? true);
}
