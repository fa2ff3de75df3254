import type { CommandOutput } from './fleet';
import type { Iam } from './iam';
import type { Template } from './template';

export interface LogStream {
  readonly group: string;
  readonly stream: string;
  readonly text: string;
}

/** CloudWatch Logs as the SSM agent writes it: with the node's role, and silently not at all when that role may not. */
export class LogGroups {
  readonly streams: LogStream[] = [];
  /** What the agent only noted in its own log file. */
  readonly refused: string[] = [];

  constructor(private readonly template: Template, private readonly iam: Iam) {
  }

  /** @param roleArn role of the node; undefined when the template does not show it, then nothing is checked */
  write(roleArn: string | undefined, group: string, prefix: string, output: CommandOutput): void {
    const denied = roleArn === undefined ? undefined : this.denied(roleArn, group, prefix);
    if (denied) {
      this.refused.push(denied);
      return;
    }
    for (const name of ['stdout', 'stderr'] as const) {
      if (output[name]) {
        this.streams.push({ group, stream: `${prefix}/${name}`, text: output[name] });
      }
    }
  }

  /** Everything written to a group. */
  text(group: string): string {
    return this.streams.filter(stream => stream.group === group).map(stream => stream.text).join('\n');
  }

  // The agent calls CreateLogGroup, and when that is denied looks for the group among all log groups.
  private denied(roleArn: string, group: string, prefix: string): string | undefined {
    const { account, region } = this.template.environment;
    const arn = (resource: string) => `arn:${this.template.partition}:logs:${region}:${account}:log-group:${resource}`;
    const create = this.iam.allowed(roleArn, 'logs:CreateLogGroup', arn(group));
    const describe = this.iam.allowed(roleArn, 'logs:DescribeLogGroups', arn(':log-stream:'));
    const exists = this.template.resources('AWS::Logs::LogGroup').some(({ logicalId }) => this.template.ref(logicalId) === group);
    if (!create.allowed && !(describe.allowed && exists)) {
      return `${create.reason}, and ${exists ? describe.reason : `there is no log group ${group}`}`;
    }
    return [
      this.iam.allowed(roleArn, 'logs:CreateLogStream', arn(`${group}:log-stream:${prefix}/stdout`)),
      this.iam.allowed(roleArn, 'logs:PutLogEvents', arn(`${group}:log-stream:${prefix}/stdout`)),
    ].find(decision => !decision.allowed)?.reason;
  }
}
