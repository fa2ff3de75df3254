import { Tokenization } from 'aws-cdk-lib';
import type { ImageSelectionConfig } from './image-selection-config';
import { renderForNode } from './tag-patterns';

/**
 * The wanted list in the words of the node program, in order of priority: `HOST/path:tag`, `HOST/path@sha256:…` or
 * `HOST/repository,repository?newest=N&include=PATTERN&exclude=PATTERN`.
 */
export function renderWantedImages(images: ImageSelectionConfig[]): string[] {
  const words: { before: string; repositories: string[]; after: string }[] = [];
  for (const image of images) {
    const before = `${image.host}/`;
    const after = wantedOf(image);
    const last = words[words.length - 1];
    // Neighbours that want the same of one registry share a word: 300 repositories fit into one document.
    if (image.keep !== undefined && last?.before === before && last.after === after) {
      if (!last.repositories.includes(image.path)) {
        last.repositories.push(image.path);
      }
    } else {
      words.push({ before, repositories: [image.path], after });
    }
  }
  const rendered = words.map(word => word.before + word.repositories.join(',') + word.after);
  return [...new Set(rendered)];
}

function wantedOf(image: ImageSelectionConfig): string {
  if (image.digest) {
    return `@${image.digest}`;
  }
  if (image.tag) {
    return `:${image.tag}`;
  }
  return `?newest=${Tokenization.stringifyNumber(image.keep ?? 1)}${renderForNode(image.tags ?? {})}`;
}
