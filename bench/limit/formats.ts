import * as crypto from 'node:crypto';
import type { Point, Series } from './series';
import { onOneNode } from './series';
import { writeImage, writeLayer } from '../../testbed/engines/oci-layout';
import { runOk } from '../../testbed/engines/processes';
import type { Bed } from '../bed';
import { crictlPull, forget } from '../bed';
import { inTurns } from '../pairs';

const REPOSITORY = 'limitformats';
const MEGABYTE = 1024 * 1024;

/** How layers are compressed, as skopeo calls it. */
const FORMATS = { uncompressed: undefined, gzip: 'gzip', zstd: 'zstd' };

/** The same files in layers that are compressed in different ways. */
export const formats: Series = {
  name: 'formats',
  what: 'compression of the layers, MB of files that shrink to three quarters',
  measure: bed => onOneNode(bed, 'LimitFormats', async (node): Promise<Point[]> => {
    const { megabytes, rounds } = bed.sizes;
    await pushFormats(bed, megabytes);
    const samples = await inTurns(rounds, ...Object.keys(FORMATS).map(name => {
      const reference = `${bed.testbed.ecr.registryHost}/${REPOSITORY}:${name}`;
      return { name, run: () => crictlPull(bed, node, reference), forget: () => forget(node, reference) };
    }));
    return Object.entries(samples).map(([name, seconds]) => ({ name, megabytes, seconds }));
  }),
};

/** Each format has data of its own: skopeo sends no layer again that the registry has in another format. */
async function pushFormats(bed: Bed, megabytes: number): Promise<void> {
  for (const [name, compression] of Object.entries(FORMATS)) {
    await pushFormat(bed, megabytes, name, compression);
  }
}

async function pushFormat({ sizes, testbed: { registry, workspace } }: Bed, megabytes: number, name: string, compression?: string): Promise<void> {
  const folder = workspace.makeFolder(`${REPOSITORY}-${name}`);
  const size = Math.round(megabytes * MEGABYTE / sizes.layers);
  const layers = [];
  for (let number = 0; number < sizes.layers; number++) {
    layers.push(await writeLayer(folder, [{ name: `data-${number}`, size, content: letters(size) }]));
  }
  writeImage(folder, {}, layers);
  const target = `docker://${registry.address}/${REPOSITORY}:${name}`;
  const access = ['--authfile', registry.authFile()];
  await runOk([
    'skopeo', 'copy', '--quiet', '--insecure-policy', '--dest-tls-verify=false', ...access,
    compression ? `--dest-compress-format=${compression}` : '--preserve-digests', `oci:${folder}`, target,
  ]);
  const manifest = JSON.parse(await runOk(['skopeo', 'inspect', '--raw', '--tls-verify=false', ...access, target])) as { layers: { mediaType: string }[] };
  const [{ mediaType }] = manifest.layers;
  if (!mediaType.endsWith(compression ? `.tar+${compression}` : '.tar')) {
    throw new Error(`${target} has layers of ${mediaType}`);
  }
}

/** Random letters: six of eight bits count. */
function* letters(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= MEGABYTE) {
    yield Buffer.from(crypto.randomBytes(MEGABYTE * 3 / 4).toString('base64')).subarray(0, Math.min(left, MEGABYTE));
  }
}
