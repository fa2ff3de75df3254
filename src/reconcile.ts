import { Duration } from 'aws-cdk-lib';
import { CfnAssociation } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { CommandDocument } from './command-document';
import { NodeTarget, renderTargets } from './node-targets';

/** Keeps nodes from asking the registry in step; the agent runs one association at a time, so others wait behind it. */
const START_DELAY_SECONDS = 120;

export interface ReconcileProps {
  readonly document: CommandDocument;
  readonly targets: NodeTarget[];
  readonly every: Duration;
  readonly maxConcurrency: string;
  readonly maxErrors: string;
}

/**
 * Brings every new node, and every node that drifted, to the wanted list. An association also runs when an instance
 * first comes online; `ApplyOnlyAtCronInterval` would suppress that, so it stays unset.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/state-manager-about.html
 */
export class Reconcile extends Construct {
  constructor(scope: Construct, id: string, props: ReconcileProps) {
    super(scope, id);

    for (const [index, target] of props.targets.entries()) {
      new CfnAssociation(this, `Association${index === 0 ? '' : index + 1}`, {
        name: props.document.documentName,
        // An update of the stack does not always move the default version.
        documentVersion: '$LATEST',
        parameters: { Revision: [props.document.revision], StartDelaySeconds: [String(START_DELAY_SECONDS)] },
        targets: renderTargets(target),
        scheduleExpression: `rate(${props.every.toMinutes()} minutes)`,
        maxConcurrency: props.maxConcurrency,
        maxErrors: props.maxErrors,
      });
    }
  }
}
