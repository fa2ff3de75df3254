import * as fs from 'node:fs';
import type { FaultCase } from '../fault-case';
import type { Scene } from '../scene';

const DISK = '/var/lib/containerd';
const STATE = '/run/cdk-eks-image-prefetcher';

/** Mounts something over the node program's folder in /run. */
const over = (mount: string) => async (scene: Scene) => {
  await scene.on(`mkdir -p ${STATE} && chmod 700 ${STATE} && ${mount}`);
  return () => scene.on(`umount ${STATE}`);
};

/** No room: for images, and for what the node program itself writes. */
export const DISK_FULL: FaultCase[] = [
  {
    fault: 'The disk for images is nearly full',
    ground: 'small',
    inject: async scene => {
      await scene.on(`fallocate -l 500M ${DISK}/filler`);
      return () => scene.on(`rm ${DISK}/filler`);
    },
    status: 'Failed',
    outcome: 'refused',
    says: /refused: the disk is \d+\.\d% full of 0\.\d GiB, .*MaxDiskUsage is 75%/,
  },
  {
    fault: 'The disk for images has not a byte left',
    ground: 'small',
    inject: async scene => {
      await scene.on(`dd if=/dev/zero of=${DISK}/filler bs=1M 2>/dev/null || true`);
      return () => scene.on(`rm ${DISK}/filler`);
    },
    status: 'Failed',
    outcome: 'refused',
    says: /refused: the disk is (100\.0|99\.\d)% full/,
  },
  {
    fault: 'The disk for images fills up in the middle of a pull',
    ground: 'small',
    megabytes: 40,
    inject: ({ registry }) => { registry.fault = ({ path }) => path.includes('/blobs/') ? { kind: 'stall', afterBytes: 5_000_000 } : undefined; },
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await scene.on(`fallocate -l 420M ${DISK}/filler`);
      await scene.untilSeen(() => scene.programs().length === 0);
      await scene.on(`rm ${DISK}/filler`);
    },
    status: 'Failed',
    outcome: 'refused',
    says: /refused: stopped half-way: the disk is/,
  },
  {
    fault: 'The disk for images has no inodes left',
    ground: 'small',
    inject: scene => {
      const folder = scene.node.hostPath(`${DISK}/files`);
      fs.mkdirSync(folder);
      let made = 0;
      try {
        for (;;) {
          fs.writeFileSync(`${folder}/${made++}`, '');
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') {
          throw error;
        }
      }
      return () => fs.rmSync(folder, { recursive: true });
    },
    status: 'Failed',
    outcome: 'refused',
    says: /refused: the disk .*100% of its inodes are used/,
  },
  {
    fault: '/run is full',
    inject: over(`mount -t tmpfs -o size=4k,mode=700 none ${STATE} && { dd if=/dev/zero of=${STATE}/filler bs=4k count=2 2>/dev/null || true; }`),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: '/run has no inodes left',
    inject: over(`mount -t tmpfs -o nr_inodes=1,mode=700 none ${STATE}`),
    status: 'Failed',
    says: /error: .*No space left on device/,
    alarms: ['Failures'],
  },
  {
    fault: '/run is read-only',
    inject: over(`mount -t tmpfs -o ro,mode=700 none ${STATE}`),
    status: 'Failed',
    says: /error: .*Read-only file system/,
    alarms: ['Failures'],
  },
];
