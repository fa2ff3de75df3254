import type { Bed } from '../bed';
import { joinRun, repository, settle } from '../bed';
import type { Measured, Row, Samples } from '../row';
import { ImageSelection } from 'cdk-eks-image-prefetcher';

const REPOSITORIES = [...Array(10).keys()].map(number => `many-${number}`);
const TAGS = ['v1', 'v2', 'v3'];
const DIGESTS = 2;

interface Nothing {
  readonly seconds: number[];
  readonly requests: number[];
  readonly reportBytes: number;
}

/** Measured once: two rows say what it says. */
const measured = new WeakMap<Bed, Promise<Nothing>>();

function nothingToDo(bed: Bed): Promise<Nothing> {
  const known = measured.get(bed) ?? measure(bed);
  measured.set(bed, known);
  return known;
}

async function measure(bed: Bed): Promise<Nothing> {
  const digests = new Map<string, string[]>();
  const { testbed } = bed;
  for (const name of REPOSITORIES) {
    await bed.createRepository(name);
  }
  for (const name of REPOSITORIES) {
    for (const tag of TAGS) {
      await bed.push(name, tag, 0);
    }
    for (let number = 0; number < DIGESTS; number++) {
      const { digestReference } = await bed.push(name, `by-digest-${number}`, 0);
      digests.set(name, [...digests.get(name) ?? [], digestReference.split('@')[1]]);
    }
  }
  const deployment = await bed.deploy('Many', {
    props: stack => ({
      images: REPOSITORIES.flatMap(name => [
        ...TAGS.map(tag => ImageSelection.tag(repository(stack, name), tag)),
        ...digests.get(name)!.map(digest => ImageSelection.digest(repository(stack, name), digest)),
      ]),
    }),
  });
  const node = await bed.addNode(deployment);
  try {
    const first = await joinRun(deployment, node);
    if (first.summary.pulled !== 50) {
      throw new Error(`50 images should have been pulled, but ${JSON.stringify(first.summary)}`);
    }
    const seconds: number[] = [];
    const requests: number[] = [];
    let reportBytes = 0;
    for (let round = 0; round < bed.sizes.rounds; round++) {
      await settle();
      const before = testbed.registry.requests().length + testbed.moto.requestLog().split('\n').length;
      const began = process.hrtime.bigint();
      const { summary } = await joinRun(deployment, node);
      seconds.push(Number(process.hrtime.bigint() - began) / 1e9);
      requests.push(testbed.registry.requests().length + testbed.moto.requestLog().split('\n').length - before);
      if (summary.present !== 50) {
        throw new Error(`50 images should have been there, but ${JSON.stringify(summary)}`);
      }
      reportBytes = JSON.stringify({ summary }).length;
    }
    return { seconds, requests, reportBytes };
  } finally {
    await node.stop();
  }
}

function row(name: string, what: string, unit: Measured['unit'], allowed: number, samples: (nothing: Nothing) => Samples): Row {
  return {
    name,
    what: `${what} of a reconcile, 50 images present (30 tags, 20 digests, 10 repositories)`,
    against: `${allowed} ${unit}`,
    limit: { ratio: 1 },
    async measure(bed) {
      const nothing = await nothingToDo(bed);
      return { samples: { ...samples(nothing), allowed: [allowed] }, unit, figures: { reportBytes: nothing.reportBytes } };
    },
  };
}

export const reconcileSeconds = row('reconcile-seconds', 'time', 's', 1, ({ seconds }) => ({ 'node program': seconds }));
export const reconcileRequests = row('reconcile-requests', 'requests', 'requests', 30, ({ requests }) => ({ 'node program': requests }));
