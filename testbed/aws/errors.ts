/** What AWS would refuse: names the resource, the rule it breaks and the value it carries. */
export class Refused extends Error {
  constructor(resource: string, rule: string, value?: unknown) {
    super(`${resource}: ${rule}${value === undefined ? '' : `, got ${JSON.stringify(value)}`}`);
    this.name = 'Refused';
  }
}
