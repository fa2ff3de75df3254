import * as fs from 'node:fs';
import { fold } from '../../bench/limit/flame';
import { numbers } from '../../bench/numbers';
import { flameGraph } from '../../bench/plot/flame-graph';

test('page and plot say what the committed results say', () => {
  for (const [file, text] of numbers()) {
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
  }
});

const PERF = `containerd
        ffffffff8 __x64_sys_write+0x1f
            55d0a github.com/containerd/containerd/v2/core/content.Copy
            47f1c runtime.goexit.abi0

containerd
            55d0a github.com/containerd/containerd/v2/core/content.Copy
            47f1c runtime.goexit.abi0

containerd
            55d0a github.com/containerd/containerd/v2/core/content.Copy
            47f1c runtime.goexit.abi0

`;

test('stacks of perf are folded from the caller to the callee', () => {
  expect([...fold(PERF)]).toEqual([
    ['runtime.goexit.abi0;content.Copy;__x64_sys_write', 1],
    ['runtime.goexit.abi0;content.Copy', 2],
  ]);
});

test('a flame is as wide as its share, and stands below its caller', () => {
  const picture = flameGraph('title', 'subtitle', new Map([['main;read', 3], ['main;write', 1]]));
  const rects = [...picture.matchAll(/<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g)].map(([, x, y, width]) => ({ x: +x, y: +y, width: +width }));
  const [, main, read, write] = rects;
  expect(read.y).toBe(main.y + 18);
  expect(read.width + 1).toBeCloseTo((main.width + 1) * 3 / 4, 0);
  expect(write.x).toBeCloseTo(read.x + read.width + 1, 0);
});
