import type { Moto } from './moto';
import { REGION } from '../place';

export interface LogEvent {
  readonly stream: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly message: string;
}

/** CloudWatch Logs, where the nodes report to. */
export class CloudWatchLogs {
  constructor(private readonly moto: Moto) {}

  /** Creates a log group that a deployment may have had before. */
  async createLogGroup(logGroupName: string): Promise<void> {
    await this.call('CreateLogGroup', { logGroupName }).catch((error: Error) => {
      if (!error.message.includes('ResourceAlreadyExistsException')) {
        throw error;
      }
    });
  }

  async deleteLogGroup(logGroupName: string): Promise<void> {
    await this.call('DeleteLogGroup', { logGroupName });
  }

  /** Everything in a log group, each stream in the order of its time. */
  async events(logGroupName: string): Promise<LogEvent[]> {
    const events: LogEvent[] = [];
    let nextToken: string | undefined;
    do {
      const page = await this.call<Page>('FilterLogEvents', { logGroupName, nextToken });
      events.push(...page.events.map(({ logStreamName, timestamp, message }) => ({ stream: logStreamName, timestamp, message })));
      nextToken = page.nextToken;
    } while (nextToken);
    return events;
  }

  private call<T>(action: string, parameters: object): Promise<T> {
    return this.moto.call('logs', REGION, `Logs_20140328.${action}`, parameters);
  }
}

interface Page {
  readonly events: { readonly logStreamName: string; readonly timestamp: number; readonly message: string }[];
  readonly nextToken?: string;
}
