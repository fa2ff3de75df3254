import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ControlPlane } from './control-plane';
import { Refused } from './errors';
import type { Step } from './timeline';
import type { Value } from './value';

interface Command {
  readonly CommandId: string;
  readonly DocumentName: string;
  readonly Parameters: Record<string, string[]>;
  readonly TargetCount: number;
  CompletedCount: number;
  ErrorCount: number;
  DeliveryTimedOutCount: number;
}

/** What a pipeline uses of Systems Manager's API, for the AWS CLI: starts runbooks of a control plane, and says how far they are. */
export class SsmApi {
  private readonly server: Server;
  private readonly executions = new Map<string, string>();
  private readonly commands: Command[] = [];

  /** @param callerArn the role of whoever asks */
  constructor(private readonly plane: ControlPlane, private readonly callerArn: string) {
    this.server = createServer((request, response) => {
      void this.answer(request).then(
        answer => response.end(JSON.stringify(answer)),
        error => response.writeHead(400).end(JSON.stringify({ __type: error instanceof Refused ? 'AccessDeniedException' : 'InternalServerError', message: error.message })));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await new Promise(resolve => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage): Promise<Value> {
    const action = String(request.headers['x-amz-target']).replace('AmazonSSM.', '');
    const question = JSON.parse(await text(request));
    switch (action) {
      case 'StartAutomationExecution': return this.startExecution(question);
      case 'GetAutomationExecution': {
        const id = question.AutomationExecutionId;
        this.demand('ssm:GetAutomationExecution', `automation-execution/${id}`);
        return { AutomationExecution: { AutomationExecutionId: id, AutomationExecutionStatus: this.executions.get(id) } };
      }
      case 'ListCommands': {
        this.demand('ssm:ListCommands', '*');
        const [{ key, value }] = question.Filters;
        if (key !== 'DocumentName') {
          throw new Refused(action, 'this stand-in filters by DocumentName only', key);
        }
        // The newest first.
        return { Commands: this.commands.filter(({ DocumentName }) => DocumentName === value).reverse() };
      }
      default: throw new Refused(action, 'this stand-in does not know the action');
    }
  }

  private demand(action: string, resource: string): void {
    const { account, region } = this.plane.template.environment;
    const arn = resource === '*' ? resource : `arn:${this.plane.template.partition}:ssm:${region}:${account}:${resource}`;
    this.plane.iam.demand(action, this.plane.iam.allowed(this.callerArn, action, arn));
  }

  private async startExecution({ DocumentName, Parameters }: { DocumentName: string; Parameters: Record<string, string[]> }): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.plane.startAutomation(DocumentName, Parameters, this.callerArn, step => {
        this.note(step);
        if (step.what === 'runbook-started') {
          resolve({ AutomationExecutionId: step.details.executionId });
        }
      }).then(({ executionId, status }) => this.executions.set(executionId, status), reject);
    });
  }

  private note({ what, details }: Step): void {
    if (what === 'runbook-started') {
      this.executions.set(String(details.executionId), 'InProgress');
    }
    if (what === 'command-sent') {
      const { commandId, documentName, parameters, targets } = details as Value;
      this.commands.push({
        CommandId: commandId,
        DocumentName: documentName,
        Parameters: parameters,
        TargetCount: targets,
        CompletedCount: 0,
        ErrorCount: 0,
        DeliveryTimedOutCount: 0,
      });
    }
    const command = this.commands.find(({ CommandId }) => CommandId === details.commandId);
    if (what === 'invocation-ended' && command) {
      command.CompletedCount++;
      if (details.status === 'Failed' || details.status === 'ExecutionTimedOut') {
        command.ErrorCount++;
      }
      if (details.status === 'DeliveryTimedOut') {
        command.DeliveryTimedOutCount++;
      }
    }
  }
}
