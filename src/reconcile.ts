import type { Duration } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { CfnAssociation } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { CommandDocument } from './command-document';
import { minutesOf } from './durations';
import type { NodeTarget } from './node-targets';
import { renderTargets } from './node-targets';
import { numbered } from './numbered';
import { createDispatchRole } from './service-roles';

/** Keeps nodes from asking the registry in step; the agent runs one association at a time, so others wait behind it. */
const START_DELAY_SECONDS = 120;

export interface ReconcileProps {
  readonly document: CommandDocument;
  readonly targets: NodeTarget[];
  readonly every: Duration;
}

/**
 * Brings every new node, and every node that drifted, to the wanted list. An association also runs when an instance
 * first comes online; `ApplyOnlyAtCronInterval` would suppress that, so it stays unset.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/state-manager-about.html
 */
export class Reconcile extends Construct {
  public readonly associationIds: string[];
  public readonly role: iam.IRole;

  constructor(scope: Construct, id: string, props: ReconcileProps) {
    super(scope, id);

    const role = this.role = createDispatchRole(this, 'DispatchRole', props.document.documentName, props.targets);
    this.associationIds = props.targets.map((target, index) => {
      const association = new CfnAssociation(this, numbered('Association', index), {
        name: props.document.documentName,
        // An update of the stack does not always move the default version.
        documentVersion: '$LATEST',
        parameters: { Revision: [props.document.revision], StartDelaySeconds: [String(START_DELAY_SECONDS)] },
        targets: renderTargets(target),
        scheduleExpression: `rate(${minutesOf(props.every)} minutes)`,
        // New nodes above a limit may have to wait until the next interval, and one sick node must not keep others cold.
        maxConcurrency: '100%',
        maxErrors: '100%',
      });
      // aws-cdk-lib knows the property since 2.27x only.
      association.addPropertyOverride('AssociationDispatchAssumeRole', role.roleArn);
      // The role must be able to send before the first run.
      association.node.addDependency(role);
      return association.attrAssociationId;
    });
  }
}
