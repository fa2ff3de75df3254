import { every } from './rules';
import type { FaultCase } from '../fault-case';
import { isLayer } from '../node-scene';
import type { Scene } from '../scene';

/** Layers stall, so that what happens meanwhile happens in the middle of a pull. */
const stalled = ({ registry }: Scene) => { registry.fault = every(isLayer, { kind: 'stall', afterBytes: 100_000 }); };

async function kill(scene: Scene, name: 'containerd' | 'kubelet'): Promise<void> {
  await scene.on(`kill -KILL ${scene.daemons(name).map(({ pid }) => pid).join(' ')}`);
  await scene.untilSeen(() => scene.daemons(name).length === 0);
}

/** It holds what it had of a pull by a lease of its own. */
export const OF_CONTAINERD = [/^lease .*gc\.expire|^snapshot extract-/, 'sometimes what containerd had of that pull; it lets go of it after a day'] as const;

/** containerd and the kubelet end and start again: before a pull, and in the middle of one. */
export const RUNTIME: FaultCase[] = [
  {
    fault: 'containerd is restarted in the middle of a pull',
    inject: stalled,
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await scene.node.stopContainerd();
      scene.ground.calm();
      await scene.node.startContainerd();
    },
    leaves: OF_CONTAINERD,
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'containerd is killed in the middle of a pull',
    inject: stalled,
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await kill(scene, 'containerd');
      await scene.node.stopContainerd();
      scene.ground.calm();
      await scene.node.startContainerd();
    },
    leaves: OF_CONTAINERD,
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'containerd does not run, and is started while the node program waits',
    inject: scene => scene.node.stopContainerd(),
    meanwhile: async scene => {
      await scene.untilSeen(() => scene.programs().length > 0);
      await scene.node.startContainerd();
    },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'containerd does not run',
    seconds: 60,
    inject: async scene => {
      await scene.node.stopContainerd();
      return () => scene.node.startContainerd();
    },
    status: 'Failed',
    says: /error: the node is not ready: unix:\/\/\/run\/containerd\/containerd.sock/,
    alarms: ['Failures'],
  },
  {
    fault: 'The kubelet is restarted in the middle of a pull',
    inject: stalled,
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await scene.node.restartKubelet();
      scene.ground.calm();
    },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The kubelet is killed in the middle of a pull',
    inject: stalled,
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await kill(scene, 'kubelet');
      scene.ground.calm();
      await scene.node.restartKubelet();
    },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The kubelet does not run',
    seconds: 60,
    inject: async scene => {
      await scene.node.stopKubelet();
      return () => scene.node.startKubelet();
    },
    status: 'Failed',
    says: /error: the node is not ready: the kubelet does not run/,
    alarms: ['Failures'],
  },
];
