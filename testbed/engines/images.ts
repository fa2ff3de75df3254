import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CACHE_FOLDER } from './cache';
import type { Image } from './oci-layout';
import { fileEntry, readImage, writeImage, writeLayer } from './oci-layout';
import { runOk } from './processes';
import type { Registry } from './registry';
import { tar } from './tar';

const BUSYBOX = '/bin/busybox';
const LAYERS = 4;
const MEGABYTE = 1024 * 1024;
/** A change to what images contain needs a new number: older ones are in the cache. */
const VERSION = 2;

/**
 * An image of about that many megabytes, compressed as on disk: busybox and random data in so many layers.
 * The same size, seed and layers give the same image.
 */
export async function buildImage(megabytes: number, seed: string, layers = LAYERS): Promise<Image> {
  const folder = path.join(CACHE_FOLDER, 'images', `${seed}-${megabytes}mb${layers === LAYERS ? '' : `-${layers}layers`}-v${VERSION}`);
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    // Written aside first: a killed run must not leave half an image in the cache.
    const draft = fs.mkdtempSync(`${folder}-`);
    await writeLayout(draft, megabytes, seed, layers);
    await publish(draft, folder);
  }
  return readImage(folder);
}

/** Pushes over the registry's own API, as `docker push` would; blobs that are there are not sent again. */
export async function pushImage(image: Image, registry: Registry, repository: string, tag: string): Promise<void> {
  await runOk([
    'skopeo', 'copy', '--quiet', '--preserve-digests', '--insecure-policy', '--dest-tls-verify=false', '--authfile', registry.authFile(),
    `oci:${image.folder}`, `docker://${registry.address}/${repository}:${tag}`,
  ]);
}

/** The image as a file that `ctr images import` reads. */
export async function exportImage(image: Image, name: string, file: string): Promise<void> {
  const index = JSON.parse(fs.readFileSync(path.join(image.folder, 'index.json'), 'utf8'));
  index.manifests[0].annotations = { 'io.containerd.image.name': name };
  const entries = fs.readdirSync(path.join(image.folder, 'blobs', 'sha256'))
    .map(blob => fileEntry(`blobs/sha256/${blob}`, fs.readFileSync(path.join(image.folder, 'blobs', 'sha256', blob))));
  const layout = fileEntry('oci-layout', fs.readFileSync(path.join(image.folder, 'oci-layout')));
  await pipeline(
    Readable.from(tar([layout, fileEntry('index.json', Buffer.from(JSON.stringify(index))), ...entries])),
    fs.createWriteStream(file),
  );
}

async function writeLayout(folder: string, megabytes: number, seed: string, count: number): Promise<void> {
  // Random data does not get smaller at any level; trying takes most of the time.
  const layers = [await writeLayer(folder, [
    { name: 'bin/' },
    fileEntry('bin/busybox', fs.readFileSync(BUSYBOX)),
    { name: 'bin/sh', link: 'busybox' },
    { name: 'bin/sleep', link: 'busybox' },
    { name: 'tmp/' },
  ], 0)];
  for (let number = 0; megabytes > 0 && number < count; number++) {
    const size = Math.round(megabytes * MEGABYTE / count);
    layers.push(await writeLayer(folder, [{ name: `data-${number}`, size, content: randomData(`${seed} ${number}`, size) }], 0));
  }
  // The seed makes two images of the same size different even when they have no data.
  writeImage(folder, { config: { Entrypoint: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'], Labels: { seed } } }, layers);
}

/** Incompressible, and the same for the same seed. */
function* randomData(seed: string, size: number): Generator<Buffer> {
  const key = crypto.createHash('sha256').update(seed).digest();
  const cipher = crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(MEGABYTE);
  for (let left = size; left > 0; left -= MEGABYTE) {
    yield cipher.update(left < MEGABYTE ? zeros.subarray(0, left) : zeros);
  }
}

async function publish(draft: string, folder: string): Promise<void> {
  try {
    fs.renameSync(draft, folder);
  } catch (error) {
    // Another run was faster.
    if (!fs.existsSync(folder)) {
      throw error;
    }
    fs.rmSync(draft, { recursive: true });
  }
}
