import { Reference, Token, Tokenization } from 'aws-cdk-lib';
import type { IResolvable } from 'aws-cdk-lib';

/** How a token looks that stands for a whole list. */
const LIST_TOKEN = /#\{Token\[/;

/** What CDK's lookups give at the first synth, before they were made: SSM parameters, and what is found by the Cloud Control API. */
const BEFORE_LOOKUP = /dummy-value-for-|\bDUMMY_ARN\b/;

/** Whether a text is known only at deployment, or only after a lookup (a dynamic reference is CloudFormation's): it can't be judged yet, and is not the same as any other. */
export function isKnownLater(text: string): boolean {
  return isToken(text) || isBeforeLookup(text) || text.includes('{{resolve:');
}

/** Whether a text, or a part of it, is known only at deployment. */
export function isToken(text: string): boolean {
  return Token.isUnresolved(text) || LIST_TOKEN.test(text);
}

/** Whether a text stands in for one that a lookup will give: an error about it would keep the lookup from happening. */
export function isBeforeLookup(text: string): boolean {
  return BEFORE_LOOKUP.test(text);
}

/** A text for a message: what is known only at deployment is named by the construct that it comes from. */
export function readable(text: string): string {
  if (LIST_TOKEN.test(text)) {
    return nameOfSource(Tokenization.reverseList([text]));
  }
  return Tokenization.reverseString(text).mapTokens({ mapToken: nameOfSource })
    .join({ join: (left, right) => `${left ?? ''}${right ?? ''}` });
}

function nameOfSource(token: IResolvable | undefined): string {
  return Reference.isReference(token) ? token.target.node.path : '(known only at deployment)';
}
