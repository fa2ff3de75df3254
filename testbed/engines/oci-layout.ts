import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import type { TarEntry } from './tar';
import { tar } from './tar';

export const IMAGE_MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const CONFIG_MEDIA_TYPE = 'application/vnd.oci.image.config.v1+json';

/** An image in a folder in OCI layout. */
export interface Image {
  readonly folder: string;
  readonly digest: string;
  readonly manifest: string;
  readonly mediaType: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Layer {
  readonly diffId: string;
  readonly descriptor: Descriptor;
}

export const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** The one image of a layout. */
export function readImage(folder: string): Image {
  const index = JSON.parse(fs.readFileSync(path.join(folder, 'index.json'), 'utf8'));
  const { digest, mediaType } = index.manifests[0] as Descriptor;
  return { folder, digest, mediaType, manifest: fs.readFileSync(blobPath(folder, digest), 'utf8') };
}

/** Writes config, manifest and index; the layers are there. */
export function writeImage(folder: string, config: object, layers: Layer[]): Image {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
  return writeManifest(folder, {
    schemaVersion: 2,
    mediaType: IMAGE_MEDIA_TYPE,
    config: writeJson(folder, CONFIG_MEDIA_TYPE, { architecture: ARCHITECTURE, os: 'linux', ...config, rootfs }),
    layers: layers.map(({ descriptor }) => descriptor),
  });
}

/** Writes a manifest and makes it the one image of the layout. */
export function writeManifest(folder: string, manifest: object): Image {
  const descriptor = writeJson(folder, IMAGE_MEDIA_TYPE, manifest);
  fs.writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  fs.writeFileSync(path.join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return readImage(folder);
}

/** Without a level the layer is not compressed. */
export async function writeLayer(folder: string, entries: TarEntry[], gzipLevel?: number): Promise<Layer> {
  const plain = crypto.createHash('sha256');
  const compressed = crypto.createHash('sha256');
  const draft = path.join(folder, 'layer');
  fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true });
  const compress = gzipLevel === undefined ? new PassThrough() : zlib.createGzip({ level: gzipLevel });
  await pipeline(Readable.from(tar(entries)), tee(plain), compress, tee(compressed), fs.createWriteStream(draft));
  const digest = `sha256:${compressed.digest('hex')}`;
  fs.renameSync(draft, blobPath(folder, digest));
  const size = fs.statSync(blobPath(folder, digest)).size;
  return {
    diffId: `sha256:${plain.digest('hex')}`,
    descriptor: { mediaType: `application/vnd.oci.image.layer.v1.tar${gzipLevel === undefined ? '' : '+gzip'}`, digest, size },
  };
}

export function writeJson(folder: string, mediaType: string, content: object): Descriptor {
  const data = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${crypto.createHash('sha256').update(data).digest('hex')}`;
  fs.writeFileSync(blobPath(folder, digest), data);
  return { mediaType, digest, size: data.length };
}

export function blobPath(folder: string, digest: string): string {
  return path.join(folder, 'blobs', ...digest.split(':'));
}

export function fileEntry(name: string, data: Buffer): TarEntry {
  return { name, size: data.length, content: [data] };
}

function tee(hash: crypto.Hash) {
  return async function* (source: AsyncIterable<Buffer>) {
    for await (const data of source) {
      hash.update(data);
      yield data;
    }
  };
}
