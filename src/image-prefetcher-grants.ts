import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';
import type { Runbooks } from './runbooks';
import { startStatements } from './service-roles';
import { validateKind } from './validate-kind';

/** What others may be allowed to do with an `ImagePrefetcher`. */
export class ImagePrefetcherGrants {
  /** @internal */
  public static _of(prefetcher: IConstruct, runbooks: Runbooks): ImagePrefetcherGrants {
    return new ImagePrefetcherGrants(prefetcher, runbooks);
  }

  private constructor(private readonly prefetcher: IConstruct, private readonly runbooks: Runbooks) {
  }

  /**
   * Lets a pipeline bring an image to the nodes and wait for it: start the runbooks, pass their role, and read how far they are.
   *
   * @param grantee a role, a user, a CodeBuild project, …
   */
  public start(grantee: iam.IGrantable): iam.Grant {
    validateKind('who may start the runbooks', 'a grantee', 'grantPrincipal', [grantee], 'give a role, a user, or what has one');
    const executions = Stack.of(this.prefetcher).formatArn({ service: 'ssm', resource: 'automation-execution', resourceName: '*' });
    return [
      ...startStatements(this.prefetcher, this.runbooks.all.map(({ runbookName }) => runbookName), this.runbooks.role),
      new iam.PolicyStatement({ actions: ['ssm:GetAutomationExecution'], resources: [executions] }),
      // Reading the state of a command takes no resource.
      new iam.PolicyStatement({ actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations'], resources: ['*'] }),
    ].map(({ actions, resources, conditions }) => iam.Grant.addToPrincipal({ grantee, actions, resourceArns: resources, conditions }))
      .reduce((all, grant) => all.combine(grant));
  }
}
