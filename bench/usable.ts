import type { Node } from '../testbed/engines';
import { waitFor } from '../testbed/engines';

/** Waits in the node, without asking again and again, until containerd says that it has made that image. */
const WATCH = `
exec 3< <(exec ctr --namespace k8s.io events)
grep --max-count=1 "/images/create .*$1" <&3
kill $!
`;

export interface UntilUsable {
  /** Seconds until the node's CRI has the image: from then on pods start on it. */
  readonly usable: number;
  /** Seconds until what brought it has ended: pinned, reported. */
  readonly whole: number;
}

export async function untilUsable(node: Node, reference: string, bring: () => Promise<unknown>): Promise<UntilUsable> {
  const created = node.exec(['bash', '-c', WATCH, 'watch', reference]);
  await waitFor('containerd\'s events to be watched', () => node.processes().some(({ argv }) => argv[0] === 'ctr' && argv.includes('events')) || undefined);
  const began = process.hrtime.bigint();
  const seconds = () => Number(process.hrtime.bigint() - began) / 1e9;
  const brought = bring().then(seconds);
  await created;
  await waitFor(`the CRI of ${node.name} to have ${reference}`, async () => await node.imageStatus(reference) !== undefined || undefined);
  return { usable: seconds(), whole: await brought };
}
