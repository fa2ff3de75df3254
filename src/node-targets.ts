/** Instances that carry each key with one of its values: what one command or one association is sent to. */
export type NodeTarget = { readonly key: string; readonly values: string[] }[];

/** Carried by managed nodes. */
export const MANAGED_CLUSTER_TAG = 'eks:cluster-name';
/** Carried by Karpenter's nodes. */
export const KARPENTER_CLUSTER_TAG = 'eks:eks-cluster-name';

/** Carried by every EC2 node, with the value `owned`. */
export function ownedTag(clusterName: string): string {
  return `kubernetes.io/cluster/${clusterName}`;
}

/** A target takes at most 50 values for a key. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html */
const MOST_VALUES = 50;

/**
 * Tag sets as targets within Systems Manager's limits: sets that differ only in the values of their last key become
 * one, and a key with many values becomes several targets. In which order the keys of a set come doesn't matter: Java's
 * maps change theirs from run to run.
 */
export function toNodeTargets(tagSets: { [tagKey: string]: string[] }[]): NodeTarget[] {
  const merged = new Map<string, NodeTarget>();
  for (const tagSet of tagSets.filter(each => !isWithinWholeCluster(each, tagSets))) {
    const target = Object.keys(tagSet).sort().map(key => ({ key, values: [...new Set(tagSet[key])] }));
    const last = target[target.length - 1];
    // A list known only at deployment can't be joined with another.
    const own = last.values.some(value => value.startsWith('#{Token[')) ? last.values : undefined;
    const identity = JSON.stringify([target.slice(0, -1).map(({ key, values }) => [key, [...values].sort()]), last.key, own]);
    const known = merged.get(identity);
    if (known) {
      const values = known[known.length - 1].values;
      values.push(...last.values.filter(value => !values.includes(value)));
    } else {
      merged.set(identity, target);
    }
  }
  return [...merged.values()].flatMap(target => {
    const others = target.slice(0, -1);
    const { key, values } = target[target.length - 1];
    const chunks = Array.from({ length: Math.ceil(values.length / MOST_VALUES) }, (_, i) => values.slice(i * MOST_VALUES, (i + 1) * MOST_VALUES));
    return chunks.map(chunk => [...others, { key, values: chunk }]);
  });
}

/** Managed and Karpenter nodes carry the tag of the whole cluster too: a target of their own would run everything twice on them. */
function isWithinWholeCluster(tagSet: { [tagKey: string]: string[] }, tagSets: { [tagKey: string]: string[] }[]): boolean {
  const clusterNames = tagSet[MANAGED_CLUSTER_TAG] ?? tagSet[KARPENTER_CLUSTER_TAG];
  const isWhole = (name: string) => tagSets.some(each => Object.keys(each).join() === ownedTag(name));
  return clusterNames !== undefined && clusterNames.every(isWhole);
}

/** The targets as CloudFormation and the SendCommand API take them. */
export function renderTargets(target: NodeTarget): { key: string; values: string[] }[] {
  return target.map(({ key, values }) => ({ key: `tag:${key}`, values }));
}
