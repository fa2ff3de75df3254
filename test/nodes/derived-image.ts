import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { CONFIG_MEDIA_TYPE, Image, IMAGE_MEDIA_TYPE } from '../../testbed/engines';
import { tar } from '../../testbed/engines/tar';

export interface Derivation {
  /** @default - the same */
  readonly architecture?: string;
  /** A file of one more layer. @default - no more layer */
  readonly file?: { readonly name: string; readonly data: Buffer };
}

/** Another image of the same layers, in that folder. */
export function deriveImage(folder: string, from: Image, { architecture, file }: Derivation): Image {
  const blobs = path.join(folder, 'blobs', 'sha256');
  fs.cpSync(from.folder, folder, { recursive: true });
  const sha256 = (data: Buffer) => crypto.createHash('sha256').update(data).digest('hex');
  const blob = (data: Buffer, mediaType: string) => {
    fs.writeFileSync(path.join(blobs, sha256(data)), data);
    return { mediaType, digest: `sha256:${sha256(data)}`, size: data.length };
  };
  const json = (content: object, mediaType: string) => blob(Buffer.from(JSON.stringify(content)), mediaType);
  const manifest = JSON.parse(from.manifest);
  const config = JSON.parse(fs.readFileSync(path.join(blobs, manifest.config.digest.replace('sha256:', '')), 'utf8'));

  if (architecture) config.architecture = architecture;
  if (file) {
    const layer = Buffer.concat([...tar([{ name: file.name, size: file.data.length, content: [file.data] }])]);
    config.rootfs.diff_ids.push(`sha256:${sha256(layer)}`);
    manifest.layers.push(blob(zlib.gzipSync(layer), manifest.layers[0].mediaType));
  }
  const content = { ...manifest, config: json(config, CONFIG_MEDIA_TYPE) };
  const descriptor = json(content, IMAGE_MEDIA_TYPE);
  fs.writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  return { folder, digest: descriptor.digest, mediaType: IMAGE_MEDIA_TYPE, manifest: JSON.stringify(content) };
}
