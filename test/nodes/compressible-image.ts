import type { Image } from '../../testbed/engines';
import { writeImage, writeLayer } from '../../testbed/engines/oci-layout';

const MEGABYTE = 1024 * 1024;

/** An image of zeros: almost nothing to download, and that many megabytes once unpacked. */
export async function compressibleImage(folder: string, megabytes: number): Promise<Image> {
  return writeImage(folder, {}, [await writeLayer(folder, [{ name: 'zeros', size: megabytes * MEGABYTE, content: zeros(megabytes) }], 1)]);
}

function* zeros(megabytes: number): Generator<Buffer> {
  const block = Buffer.alloc(MEGABYTE);
  for (let index = 0; index < megabytes; index++) {
    yield block;
  }
}
