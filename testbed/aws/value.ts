/** Any value of a template before and after its intrinsics are resolved. */
export type Value = any;

/** Where the stack would be deployed. */
export interface Environment {
  readonly account: string;
  readonly region: string;
  readonly stackName: string;
  /** Values only a deployment would know: `LogicalId` (Ref, parameters) or `LogicalId.Attribute` (Fn::GetAtt). */
  readonly overrides?: Record<string, string>;
}
