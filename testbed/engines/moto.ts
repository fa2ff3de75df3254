import * as fs from 'node:fs';
import * as path from 'node:path';
import { pythonTool } from './cache';
import { Daemon, freePort, waitFor } from './processes';
import type { Workspace } from './workspace';

/** The AWS API: a moto server on the loopback address, for all accounts and regions. */
export class Moto {
  private readonly logFile: string;
  private port = 0;
  private daemon?: Daemon;

  /** Clients of this API belong to the account. */
  constructor(workspace: Workspace, readonly account: string) {
    this.logFile = path.join(workspace.folder, 'moto.log');
    workspace.track(this);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Lets the AWS CLI and the AWS SDKs talk to this API. */
  get environment(): Record<string, string> {
    return { AWS_ENDPOINT_URL: this.endpoint, AWS_ACCESS_KEY_ID: 'testbed', AWS_SECRET_ACCESS_KEY: 'testbed' };
  }

  /** Started again after a stop, it has the same port but has forgotten everything. */
  async start(): Promise<void> {
    this.port ||= await freePort();
    const daemon = new Daemon([pythonTool('moto_server'), '-H', '127.0.0.1', '-p', String(this.port)], this.logFile,
      { ...process.env, MOTO_ACCOUNT_ID: this.account });
    this.daemon = daemon;
    await waitFor('the AWS API', async () => (await fetch(`${this.endpoint}/moto-api/`)).ok, 60, () => daemon.logTail);
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
    this.daemon = undefined;
  }

  /** Calls an action of a service that speaks JSON 1.1, such as `Logs_20140328.CreateLogGroup`. */
  async call<T>(service: string, region: string, target: string, parameters: object): Promise<T> {
    const response = await fetch(this.endpoint, {
      method: 'POST',
      body: JSON.stringify(parameters),
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': target,
        // moto reads region and service from here and checks no signature.
        'authorization': `AWS4-HMAC-SHA256 Credential=testbed/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=none`,
      },
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`the AWS API answered ${response.status} to ${target} ${JSON.stringify(parameters).slice(0, 300)}: ${text}`);
    }
    return (text === '' ? {} : JSON.parse(text)) as T;
  }

  /** One line per call, without saying which action was called. */
  requestLog(): string {
    return fs.readFileSync(this.logFile, 'utf8');
  }
}
