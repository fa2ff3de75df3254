import { Aspects, CfnResource, Reference, Stack, Tokenization } from 'aws-cdk-lib';
import type { aws_eks } from 'aws-cdk-lib/interfaces';
import type { IConstruct } from 'constructs';

/**
 * Refuses, when the app is complete, a prefetcher and a cluster in two stacks that need each other: by a node group that waits
 * for the prefetcher, or a launch template with its boot gate. CDK would name the two stacks only.
 */
export function refuseMutualStacks(prefetcher: IConstruct, cluster: aws_eks.IClusterRef, documentName: string): void {
  const { firstToken: token } = Tokenization.reverseString(cluster.clusterRef.clusterName);
  // Nested stacks are resources of one stack, and what order those take is CloudFormation's.
  if (!Reference.isReference(token) || outermost(Stack.of(token.target)) === outermost(Stack.of(prefetcher))) {
    return;
  }
  const clusterStack = Stack.of(token.target);
  Aspects.of(prefetcher).add({
    visit: node => {
      if (node !== prefetcher) {
        return;
      }
      const needing = whatNeeds(prefetcher, clusterStack, documentName);
      if (needing) {
        throw new Error(`'${prefetcher.node.path}' needs cluster '${cluster.node.path}' of another stack, where '${needing}' needs the prefetcher: create the prefetcher in the stack of the cluster, or let it know cluster and node groups by their names (CfnCluster.fromClusterName(), NodeSelection.nodegroupNames())`);
      }
    },
  });
}

function outermost(stack: Stack): Stack {
  return stack.nestedStackParent ? outermost(stack.nestedStackParent) : stack;
}

function whatNeeds(prefetcher: IConstruct, stack: Stack, documentName: string): string | undefined {
  const own = Stack.of(prefetcher);
  if (stack.dependencies.includes(own)) {
    return stack.node.path;
  }
  const document = JSON.stringify(own.resolve(documentName));
  return stack.node.findAll().find(construct => construct.node.dependencies.some(each => Stack.of(each) === own)
    || (isLaunchTemplate(construct) && JSON.stringify(stack.resolve(construct.launchTemplateData)).includes(document)))?.node.path;
}

function isLaunchTemplate(construct: IConstruct): construct is CfnResource & { launchTemplateData: unknown } {
  return CfnResource.isCfnResource(construct) && construct.cfnResourceType === 'AWS::EC2::LaunchTemplate';
}
