import type { IResolvable } from 'aws-cdk-lib';
import { CfnElement, Reference, Stack, Token, Tokenization } from 'aws-cdk-lib';

/** CloudFormation names a resource STACK-LOGICALID-RANDOM, with 12 random characters. */
const AROUND_A_GENERATED_NAME = '--'.length + 12;
/** `arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/`, rounded up. */
const AROUND_AN_ARN = 60;
const LENGTH_OF_A_PSEUDO_PARAMETER = 14;
/** Nested stacks are named PARENT-LOGICALID-RANDOM themselves. */
const LENGTH_OF_A_NESTED_STACKS_NAME = 100;
const LENGTH_OF_ANY_OTHER_TOKEN = 60;

/** How long a text will be at deployment, when parts of it (partition, account, generated names) are known only then. */
export function estimatedLength(text: string): number {
  return Tokenization.reverseString(text).mapTokens({ mapToken: token => 'x'.repeat(lengthOfToken(token)) })
    .join({ join: (left, right) => `${left ?? ''}${right ?? ''}` }).length;
}

function lengthOfToken(token: IResolvable): number {
  if (token.toString().startsWith('${Token[AWS.')) {
    return LENGTH_OF_A_PSEUDO_PARAMETER;
  }
  if (!Reference.isReference(token) || !CfnElement.isCfnElement(token.target)) {
    return LENGTH_OF_ANY_OTHER_TOKEN;
  }
  const stack = Stack.of(token.target);
  const stackName = Token.isUnresolved(stack.stackName) ? LENGTH_OF_A_NESTED_STACKS_NAME : stack.stackName.length;
  const name = stackName + stack.getLogicalId(token.target).length + AROUND_A_GENERATED_NAME;
  return token.displayName.endsWith('Arn') ? name + AROUND_AN_ARN : name;
}

/** Cuts a list into runs whose estimated length, written as a list of strings, stays within the budget. */
export function chunkByLength<T>(items: T[], text: (item: T) => string, budget: number): T[][] {
  const chunks: T[][] = [];
  let used = 0;
  for (const item of items) {
    const length = estimatedLength(text(item)) + '"",'.length;
    const current = chunks[chunks.length - 1];
    if (current && used + length <= budget) {
      current.push(item);
      used += length;
    } else {
      chunks.push([item]);
      used = length;
    }
  }
  return chunks;
}
