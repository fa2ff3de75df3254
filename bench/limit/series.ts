import type { Node, PushedImage } from '../../testbed/engines';
import type { Bed } from '../bed';
import { crictlPull, forget, joinRun, ok, repository, settle } from '../bed';
import { inTurns } from '../pairs';
import { median } from '../statistics';

/** One point of a series: what was set, and the seconds of each round. */
export interface Point {
  readonly name: string;
  readonly megabytes: number;
  readonly seconds: number[];
}

/** Something that is varied while all else stays as it is. */
export interface Series {
  readonly name: string;
  readonly what: string;
  /** Why it can't be measured on this machine; empty when it can. */
  missing?(): string[];
  measure(bed: Bed): Promise<Point[]>;
}

/** What containerd's processor time goes into. */
export interface Flame {
  readonly seconds: number;
  readonly shares: Record<string, number>;
}

/** bench/limit/results.json. */
export interface LimitResults {
  readonly flame?: Flame;
  readonly machine: Record<string, string | number>;
  readonly series: { readonly name: string; readonly what: string; readonly points: Point[] }[];
}

export async function onOneNode<T>(bed: Bed, name: string, use: (node: Node) => Promise<T>): Promise<T> {
  const node = await bed.addNode(await bed.deploy(name));
  try {
    return await use(node);
  } finally {
    await node.stop();
  }
}

function points(megabytes: number, samples: Record<string, number[]>): Point[] {
  return Object.entries(samples).map(([name, seconds]) => ({ name, megabytes, seconds }));
}

/** Where the time goes: from the registry into memory, into containerd's store, from there to a file system, and all of it. */
export const parts: Series = {
  name: 'parts',
  what: 'where the time goes',
  measure: bed => onOneNode(bed, 'LimitParts', async node => {
    const { megabytes, rounds } = bed.sizes;
    const pushed = await bed.pushLarge('limitparts');
    const { username, password } = bed.testbed.ecr.credentials;
    const forgetIt = () => forget(node, pushed.reference);
    const fetch = () => ok(node, ['ctr', '-n', 'k8s.io', 'content', 'fetch', '--hosts-dir', '/etc/containerd/certs.d', '-u', `${username}:${password}`, pushed.reference]);
    return points(megabytes, await inTurns(rounds,
      { name: 'registry to memory', run: () => ok(node, ['sh', '-c', intoMemory(bed, pushed)]) },
      { name: 'registry to containerd\'s store', run: fetch, forget: forgetIt },
      {
        name: 'store to file system',
        async run() {
          await fetch();
          await settle();
          const began = performance.now();
          await ok(node, ['ctr', '-n', 'k8s.io', 'snapshots', 'unpack', pushed.image.digest]);
          return (performance.now() - began) / 1000;
        },
        forget: forgetIt,
      },
      { name: 'pull by crictl', run: () => crictlPull(bed, node, pushed.reference), forget: forgetIt },
      {
        name: 'pull by crictl, until the disk has it',
        async run() {
          await crictlPull(bed, node, pushed.reference);
          await settle();
        },
        forget: forgetIt,
      }));
  }),
};

/** All layers, three at a time as containerd does. */
function intoMemory(bed: Bed, { image }: PushedImage): string {
  const { registry, ecr } = bed.testbed;
  const { layers } = JSON.parse(image.manifest) as { layers: { digest: string }[] };
  const urls = layers.map(({ digest }) => `${registry.url}/v2/limitparts/blobs/${digest}`).join(' ');
  return `printf '%s\\n' ${urls} | xargs -n 1 -P 3 curl -sfL -o /dev/null -u ${ecr.credentials.username}:${ecr.credentials.password}`;
}

export const layers: Series = {
  name: 'layers',
  what: 'layers of an image of the same size',
  measure: bed => onOneNode(bed, 'LimitLayers', async node => {
    const images: [string, PushedImage][] = [];
    for (const count of [1, 2, 4, 10, 20, 40]) {
      images.push([`${count}`, await bed.pushLarge('limitlayers', bed.sizes.megabytes, count)]);
    }
    return points(bed.sizes.megabytes, await pulls(bed, node, images));
  }),
};

export const sizes: Series = {
  name: 'sizes',
  what: 'size of an image of 10 layers, MB',
  measure: bed => onOneNode(bed, 'LimitSizes', async node => {
    const measured: Point[] = [];
    for (const megabytes of [10, 100, 1000, 4000].map(size => Math.ceil(size * bed.sizes.megabytes / 1000))) {
      const pushed = await bed.pushLarge('limitsizes', megabytes);
      measured.push(...points(megabytes, await pulls(bed, node, [[`${megabytes}`, pushed]])));
    }
    return measured;
  }),
};

async function pulls(bed: Bed, node: Node, images: [string, PushedImage][]): Promise<Record<string, number[]>> {
  return inTurns(bed.sizes.rounds, ...images.map(([name, { reference }]) => ({
    name,
    run: () => crictlPull(bed, node, reference),
    forget: () => forget(node, reference),
  })));
}

const EIGHT = [...Array(8).keys()].map(number => `limiteight-${number}`);

/** What `parallelPulls` brings. */
export const parallelPulls: Series = {
  name: 'parallel-pulls',
  what: 'images that the node program pulls side by side (`parallelPulls`), of eight',
  async measure(bed) {
    const settings = [1, 2, 3, 4, 8];
    const deployments = await Promise.all(settings.map(parallel =>
      bed.deploy(`LimitParallel${parallel}`, { props: stack => ({ repositories: EIGHT.map(name => repository(stack, name)), parallelPulls: parallel }) })));
    const references: string[] = [];
    for (const name of EIGHT) {
      references.push((await bed.push(name, 'v1', bed.sizes.smallMegabytes, 4)).reference);
    }
    const node = await bed.addNode(deployments[0]);
    try {
      return points(8 * bed.sizes.smallMegabytes, await inTurns(bed.sizes.rounds, ...settings.map((parallel, at) => ({
        name: `${parallel}`,
        run: async () => void await joinRun(deployments[at], node),
        forget: () => forget(node, ...references),
      }))));
    } finally {
      await node.stop();
    }
  },
};

/** Rate of a point, in MB/s. */
export function rate({ megabytes, seconds }: Point): number {
  return megabytes / median(seconds);
}
