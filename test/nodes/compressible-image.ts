import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { CONFIG_MEDIA_TYPE, Image, IMAGE_MEDIA_TYPE } from '../../testbed/engines';
import { tar } from '../../testbed/engines/tar';

const MEGABYTE = 1024 * 1024;

/** An image of zeros: almost nothing to download, and that many megabytes once unpacked. */
export async function compressibleImage(folder: string, megabytes: number): Promise<Image> {
  const blobs = path.join(folder, 'blobs', 'sha256');
  fs.mkdirSync(blobs, { recursive: true });
  const plain = crypto.createHash('sha256');
  const draft = path.join(folder, 'layer');
  await pipeline(
    Readable.from(tar([{ name: 'zeros', size: megabytes * MEGABYTE, content: zeros(megabytes) }])),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const data of source) {
        plain.update(data);
        yield data;
      }
    },
    zlib.createGzip({ level: 1 }),
    fs.createWriteStream(draft),
  );
  const blob = (data: Buffer, mediaType: string) => {
    const digest = crypto.createHash('sha256').update(data).digest('hex');
    fs.writeFileSync(path.join(blobs, digest), data);
    return { mediaType, digest: `sha256:${digest}`, size: data.length };
  };
  const layer = blob(fs.readFileSync(draft), 'application/vnd.oci.image.layer.v1.tar+gzip');
  const json = (content: object, mediaType: string) => blob(Buffer.from(JSON.stringify(content)), mediaType);
  const config = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [`sha256:${plain.digest('hex')}`] },
  }, CONFIG_MEDIA_TYPE);
  const content = { schemaVersion: 2, mediaType: IMAGE_MEDIA_TYPE, config, layers: [layer] };
  const manifest = json(content, IMAGE_MEDIA_TYPE);
  fs.writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  fs.writeFileSync(path.join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { folder, digest: manifest.digest, mediaType: IMAGE_MEDIA_TYPE, manifest: JSON.stringify(content) };
}

function* zeros(megabytes: number): Generator<Buffer> {
  const block = Buffer.alloc(MEGABYTE);
  for (let index = 0; index < megabytes; index++) yield block;
}
