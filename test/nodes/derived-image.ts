import * as fs from 'node:fs';
import type { Image } from '../../testbed/engines';
import { blobPath, CONFIG_MEDIA_TYPE, fileEntry, writeJson, writeLayer, writeManifest } from '../../testbed/engines/oci-layout';

export interface Derivation {
  /** @default - the same */
  readonly architecture?: string;
  /** A file of one more layer. @default - no more layer */
  readonly file?: { readonly name: string; readonly data: Buffer };
}

/** Another image of the same layers, in that folder. */
export async function deriveImage(folder: string, from: Image, { architecture, file }: Derivation): Promise<Image> {
  fs.cpSync(from.folder, folder, { recursive: true });
  const manifest = JSON.parse(from.manifest);
  const config = JSON.parse(fs.readFileSync(blobPath(folder, manifest.config.digest), 'utf8'));

  if (architecture) {
    config.architecture = architecture;
  }
  if (file) {
    const { diffId, descriptor } = await writeLayer(folder, [fileEntry(file.name, file.data)], 6);
    config.rootfs.diff_ids.push(diffId);
    manifest.layers.push(descriptor);
  }
  return writeManifest(folder, { ...manifest, config: writeJson(folder, CONFIG_MEDIA_TYPE, config) });
}
