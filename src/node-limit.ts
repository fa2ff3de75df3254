import { Token, Tokenization } from 'aws-cdk-lib';
import { shown } from './validate-kind';

/** A number of nodes: an absolute one, or a share of the nodes that a roll-out goes to. */
export class NodeLimit {
  /**
   * So many nodes, a whole number from 0 to 10,000,000.
   *
   * @throws an error at synth for any other number
   */
  public static nodes(count: number): NodeLimit {
    validate('nodes', count, 9_999_999);
    return new NodeLimit(count, '');
  }

  /**
   * A percentage of the selected nodes, a whole number from 0 to 100. Systems Manager rounds down, but to no less than one node at a time.
   *
   * @throws an error at synth for any other number
   */
  public static percent(percentage: number): NodeLimit {
    validate('percent', percentage, 100);
    return new NodeLimit(percentage, '%');
  }

  private constructor(private readonly count: number, private readonly unit: '' | '%') {
  }

  /** @internal */
  public get _isZero(): boolean {
    return this.count === 0;
  }

  /**
   * As Systems Manager takes it.
   *
   * @internal
   */
  public _render(): string {
    return `${Tokenization.stringifyNumber(this.count)}${this.unit}`;
  }
}

function validate(factory: string, value: number, most: number): void {
  if (!Token.isUnresolved(value) && (!Number.isInteger(value) || value < 0 || value > most)) {
    throw new Error(`NodeLimit.${factory}() must be given a whole number from 0 to ${most}, got ${shown(value)}`);
  }
}
