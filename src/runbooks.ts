import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { NodeLimit } from './node-limit';
import type { NodeTarget } from './node-targets';
import { numbered } from './numbered';
import { Runbook } from './runbook';
import { createAutomationRole } from './service-roles';

export interface RunbooksProps {
  readonly documentName: string;
  readonly targets: NodeTarget[];
  readonly maxConcurrency: NodeLimit;
  readonly maxErrors: NodeLimit;
}

/** What brings one image to every selected node, for whoever starts it: a runbook for each set of nodes, and the role they work by. */
export class Runbooks extends Construct {
  public readonly all: Runbook[];
  public readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: RunbooksProps) {
    super(scope, id);

    this.role = createAutomationRole(this, 'Role', props.documentName, props.targets);
    this.all = props.targets.map((target, index) => new Runbook(this, numbered('Runbook', index), { ...props, target, automationRoleArn: this.role.roleArn }));
  }
}
