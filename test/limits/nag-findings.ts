import type { NagPack } from 'cdk-nag';
import { AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R4Checks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';
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

/** In a prefetcher, by the packs for industries and serverless applications. */
const OF_PREFETCHERS_BY_OTHER_PACKS: Acknowledged[] = [
  { rule: /-CloudWatchLogGroupEncrypted$/, path: /^Prefetcher\/LogGroup\//, reason: 'CloudWatch Logs encrypts always; for a key of your own, give the log group as logGroup' },
  { rule: /-IAMNoInlinePolicy$/, path: /^Prefetcher\/(Runbooks|Push|Reconcile)\//, reason: 'the policies of service roles that are used by nobody else, and go with them' },
  { rule: /^Serverless-SQSRedrivePolicy$/, path: /^Prefetcher\/Push\/DeadLetterQueue\//, reason: 'it is itself where messages end that nobody could take' },
  { rule: /-CloudWatchAlarmAction$/, path: /^Prefetcher\/Alarms\//, reason: 'alarms tell the topic that their user gives; the demo has none' },
  { rule: /^Serverless-EventBusDLQ$/, path: /^Prefetcher\/RunFailed\//, reason: 'a rule on runs has the target, and the queue, that its user gives it' },
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

export interface NagFindings {
  readonly ofPrefetchers: Finding[];
  readonly ofTheRest: Finding[];
}

/** The findings of AWS Solutions in an app, those of prefetchers apart. */
export function nagFindings(app: IConstruct): NagFindings {
  const findings = findingsOf(new AwsSolutionsChecks(), app);
  const prefetchers = pathsOfPrefetchers(app);
  return {
    ofPrefetchers: findings.flatMap(finding => inPrefetcher(finding, prefetchers)),
    ofTheRest: findings.filter(finding => inPrefetcher(finding, prefetchers).length === 0),
  };
}

/** The findings in prefetchers of the packs for industries (NIST, HIPAA, PCI) and for serverless applications. */
export function findingsOfOtherPacks(app: IConstruct): Finding[] {
  const packs = [new NIST80053R4Checks(), new NIST80053R5Checks(), new HIPAASecurityChecks(), new PCIDSS321Checks(), new ServerlessChecks()];
  return packs.flatMap(pack => findingsOf(pack, app)).flatMap(finding => inPrefetcher(finding, pathsOfPrefetchers(app)));
}

function findingsOf(pack: NagPack, app: IConstruct): Finding[] {
  return pack.validateScope(app).violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(resource => ({ rule: ruleName, path: resource.constructPath! })));
}

function pathsOfPrefetchers(app: IConstruct): string[] {
  return app.node.findAll().filter(construct => construct instanceof ImagePrefetcher).map(construct => construct.node.path);
}

function inPrefetcher(finding: Finding, prefetchers: string[]): Finding[] {
  const prefetcher = prefetchers.find(path => finding.path.startsWith(`${path}/`));
  return prefetcher ? [{ ...finding, path: `Prefetcher${finding.path.slice(prefetcher.length)}` }] : [];
}

/** The findings that nobody has given a reason for. */
export function unexplained({ ofPrefetchers, ofTheRest }: NagFindings): Finding[] {
  return [
    ...ofPrefetchers.filter(finding => !OF_PREFETCHERS.some(one => explains(one, finding))),
    ...ofTheRest.filter(finding => !OF_THE_REST.some(one => explains(one, finding))),
  ];
}

/** The same of the other packs. */
export function unexplainedByOtherPacks(findings: Finding[]): Finding[] {
  return findings.filter(finding => !OF_PREFETCHERS_BY_OTHER_PACKS.some(one => explains(one, finding)));
}

/** The reasons that explain no finding any more. */
export function unneeded(all: NagFindings[]): string[] {
  return [
    ...OF_PREFETCHERS.filter(one => !all.some(({ ofPrefetchers }) => ofPrefetchers.some(finding => explains(one, finding)))),
    ...OF_THE_REST.filter(one => !all.some(({ ofTheRest }) => ofTheRest.some(finding => explains(one, finding)))),
  ].map(one => one.reason);
}

function explains({ rule, path }: Acknowledged, finding: Finding): boolean {
  return rule.test(finding.rule) && (path?.test(finding.path) ?? true);
}
