import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { CACHE_FOLDER } from './cache';
import { runOk } from './processes';
import { Registry } from './registry';
import { tar, TarEntry } from './tar';

export const IMAGE_MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const CONFIG_MEDIA_TYPE = 'application/vnd.oci.image.config.v1+json';
const BUSYBOX = '/bin/busybox';
const LAYERS = 4;
const MEGABYTE = 1024 * 1024;
/** A change to what images contain needs a new number: older ones are in the cache. */
const VERSION = 2;

/** An image in OCI layout in the cache folder. */
export interface Image {
  readonly folder: string;
  readonly digest: string;
  readonly manifest: string;
  readonly mediaType: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

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
  const index = JSON.parse(fs.readFileSync(path.join(folder, 'index.json'), 'utf8'));
  const { digest, mediaType } = index.manifests[0] as Descriptor;
  return { folder, digest, mediaType, manifest: fs.readFileSync(blobPath(folder, digest), 'utf8') };
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
  fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true });
  const layers = [await writeLayer(folder, [
    { name: 'bin/' },
    fileEntry('bin/busybox', fs.readFileSync(BUSYBOX)),
    { name: 'bin/sh', link: 'busybox' },
    { name: 'bin/sleep', link: 'busybox' },
    { name: 'tmp/' },
  ])];
  for (let number = 0; megabytes > 0 && number < count; number++) {
    const size = Math.round(megabytes * MEGABYTE / count);
    layers.push(await writeLayer(folder, [{ name: `data-${number}`, size, content: randomData(`${seed} ${number}`, size) }]));
  }
  const config = writeBlob(folder, CONFIG_MEDIA_TYPE, {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    // The seed makes two images of the same size different even when they have no data.
    config: { Entrypoint: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'], Labels: { seed } },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
  });
  const manifest = writeBlob(folder, IMAGE_MEDIA_TYPE, {
    schemaVersion: 2, mediaType: IMAGE_MEDIA_TYPE, config, layers: layers.map(layer => layer.descriptor),
  });
  fs.writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  fs.writeFileSync(path.join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

async function writeLayer(folder: string, entries: TarEntry[]): Promise<{ diffId: string; descriptor: Descriptor }> {
  const plain = crypto.createHash('sha256');
  const compressed = crypto.createHash('sha256');
  const draft = path.join(folder, 'layer');
  await pipeline(
    Readable.from(tar(entries)),
    tee(plain),
    // Random data does not get smaller at any level; trying takes most of the time.
    zlib.createGzip({ level: 0 }),
    tee(compressed),
    fs.createWriteStream(draft),
  );
  const digest = `sha256:${compressed.digest('hex')}`;
  fs.renameSync(draft, blobPath(folder, digest));
  const size = fs.statSync(blobPath(folder, digest)).size;
  return {
    diffId: `sha256:${plain.digest('hex')}`,
    descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size },
  };
}

function tee(hash: crypto.Hash) {
  return async function* (source: AsyncIterable<Buffer>) {
    for await (const data of source) {
      hash.update(data);
      yield data;
    }
  };
}

function writeBlob(folder: string, mediaType: string, content: object): Descriptor {
  const data = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${crypto.createHash('sha256').update(data).digest('hex')}`;
  fs.writeFileSync(blobPath(folder, digest), data);
  return { mediaType, digest, size: data.length };
}

function blobPath(folder: string, digest: string): string {
  return path.join(folder, 'blobs', ...digest.split(':'));
}

function fileEntry(name: string, data: Buffer): TarEntry {
  return { name, size: data.length, content: [data] };
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
