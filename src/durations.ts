import type { Duration } from 'aws-cdk-lib';
import { Tokenization } from 'aws-cdk-lib';

/** Whole minutes as a text; a number known only at deployment too. */
export function minutesOf(duration: Duration): string {
  return Tokenization.stringifyNumber(duration.toMinutes());
}

/** Whole seconds as a text; a number known only at deployment too. */
export function secondsOf(duration: Duration): string {
  return Tokenization.stringifyNumber(duration.toSeconds());
}
