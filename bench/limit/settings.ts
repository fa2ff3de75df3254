import * as fs from 'node:fs';
import type { Bed } from '../bed';
import { crictlPull, forget } from '../bed';
import { inTurns } from '../pairs';
import type { Point, Series } from './series';

const FILE = '/etc/containerd/config.toml';

/** What a boot gate's user data could set through nodeadm: containerd's own words. */
const SETTINGS: Record<string, string> = {
  'as on AL2023': '',
  'downloads 1': images('max_concurrent_downloads = 1'),
  'downloads 10': images('max_concurrent_downloads = 10'),
  'a layer in pieces of 8 MB': images('concurrent_layer_fetch_buffer = 8388608'),
  'unpacks 4': "[plugins.'io.containerd.transfer.v1.local']\nmax_concurrent_unpacks = 4\n",
  'downloads 10, unpacks 4': `${images('max_concurrent_downloads = 10')}[plugins.'io.containerd.transfer.v1.local']\nmax_concurrent_downloads = 10\nmax_concurrent_unpacks = 4\n`,
};

const IMAGES = "[plugins.'io.containerd.cri.v1.images']\n";

function images(line: string): string {
  return `${line}\n`;
}

/** A line for the images' table goes into it, tables of their own to the end. */
function changed(config: string, setting: string): string {
  const [lines, ...tables] = setting.split(/^(?=\[)/m);
  const [inTable, own] = lines.startsWith('[') ? ['', [lines, ...tables]] : [lines, tables];
  return config.replace(IMAGES, `${IMAGES}${inTable}`) + own.map(table => `\n${table}`).join('');
}

/** containerd's settings, one node each. */
export const containerdSettings: Series = {
  name: 'containerd-settings',
  what: 'containerd\'s settings, one large image',
  async measure(bed: Bed): Promise<Point[]> {
    const deployment = await bed.deploy('LimitSettings');
    const { reference } = await bed.pushLarge('limitsettings');
    const node = await bed.addNode(deployment);
    try {
      const file = node.hostPath(FILE);
      const before = fs.readFileSync(file, 'utf8');
      const samples = await inTurns(bed.sizes.rounds, ...Object.entries(SETTINGS).map(([name, setting]) => ({
        name,
        async run() {
          await node.stopContainerd();
          fs.writeFileSync(file, changed(before, setting));
          await node.startContainerd();
          const began = performance.now();
          await crictlPull(bed, node, reference);
          return (performance.now() - began) / 1000;
        },
        forget: () => forget(node, reference),
      })));
      return Object.entries(samples).map(([name, seconds]) => ({ name, megabytes: bed.sizes.megabytes, seconds }));
    } finally {
      await node.stop();
    }
  },
};
