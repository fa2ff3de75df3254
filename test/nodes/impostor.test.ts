import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { deriveImage } from './derived-image';
import { newest, onRealNodes, pushRun } from './real-nodes';
import type { Node } from '../../testbed/engines';
import { buildImage, engine, pushImage, waitFor } from '../../testbed/engines';
import { STATIC_PODS_FOLDER } from '../../testbed/node/static-pods';

jest.setTimeout(120_000);

onRealNodes('a process that calls itself kubelet', bed => {
  test.each([
    ['of a user', 'setpriv --reuid 1000 --clear-groups'], ['of root in a mount namespace of its own', 'unshare --mount'],
  ])('%s is neither believed nor obeyed', async (_, as) => {
    const name = `impostor-${as.split(' ')[0]}`;
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, name)] }));
    const node = await bed.addNode(deployment);
    const config = { providers: [{ name: 'ecr-credential-provider', matchImages: ['*.dkr.ecr.*.amazonaws.com'], apiVersion: 'credentialprovider.kubelet.k8s.io/v1' }] };
    fs.mkdirSync(node.hostPath('/tmp/x'), { mode: 0o777 });
    fs.writeFileSync(node.hostPath('/tmp/x/config.json'), JSON.stringify(config));
    fs.writeFileSync(node.hostPath('/tmp/x/ecr-credential-provider'), '#!/bin/sh\nid > /tmp/obeyed\n', { mode: 0o755 });
    // The real one starts after it, so that its process id is the higher one.
    await node.stopKubelet();
    const argv = 'exec -a kubelet bash -c "sleep 90; true" --image-credential-provider-bin-dir=/tmp/x --image-credential-provider-config=/tmp/x/config.json';
    await node.exec(['sh', '-c', `${as} bash -c '${argv}' >/dev/null 2>&1 </dev/null &`]);
    await node.seeProcesses('kubelet -c sleep 90');
    await node.startKubelet();

    const pushed = await bed.push(name, 'v1');
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    // It was there all the time.
    expect(node.processes().filter(({ argv: words }) => words[0] === 'kubelet' && words.join(' ').includes('/tmp/x'))).not.toEqual([]);
    expect(fs.existsSync(node.hostPath('/tmp/obeyed'))).toBe(false);
  });

  test('of a pod without any capability is neither believed nor obeyed', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'impostor-pod'), newest(stack, 'attacker')] }));
    const node = await bed.addNode(deployment);
    // Any program will do that goes on whatever its arguments are.
    const file = { name: 'kubelet', data: fs.readFileSync(engine('reference-reader')) };
    const attacker = await deriveImage(bed.testbed.workspace.makeFolder('attacker'), await buildImage(0, 'attacker'), { file });
    await pushImage(attacker, bed.testbed.registry, 'attacker', 'v1');

    const uid = crypto.randomUUID();
    // Where the node sees the pod's own volume.
    const volume = `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~empty-dir/x`;
    const config = JSON.stringify({ providers: [{ name: 'ecr-credential-provider', matchImages: ['*.dkr.ecr.*.amazonaws.com'], apiVersion: 'credentialprovider.kubelet.k8s.io/v1' }] });
    const script = [
      `echo '${config}' >/x/config.json`, "printf '#!/bin/sh\\nid >/tmp/obeyed\\n' >/x/ecr-credential-provider", '/bin/busybox chmod 755 /x/ecr-credential-provider',
      '/bin/busybox mkfifo /x/fifo', 'sleep 1000 >/x/fifo &',
      `exec /kubelet --image-credential-provider-bin-dir=${volume} --image-credential-provider-config=${volume}/config.json </x/fifo`,
    ];
    fs.writeFileSync(node.hostPath(`${STATIC_PODS_FOLDER}/attacker.json`), JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'attacker', namespace: 'default', uid },
      spec: {
        hostNetwork: true,
        enableServiceLinks: false,
        containers: [{
          name: 'attacker',
          image: `${bed.testbed.ecr.registryHost}/attacker:v1`,
          command: ['/bin/sh', '-ec', script.join('\n')],
          securityContext: { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false },
          volumeMounts: [{ name: 'x', mountPath: '/x' }],
        }],
        volumes: [{ name: 'x', emptyDir: {} }],
      },
    }));
    await node.seeProcesses(`/kubelet --image-credential-provider-bin-dir=${volume}`);
    expect(fs.existsSync(node.hostPath(`${volume}/ecr-credential-provider`))).toBe(true);
    // The real one restarts, so that its process id is the higher one.
    const [real, ...others] = node.processes().filter(({ argv }) => argv[0] === '/usr/bin/kubelet');
    expect(others).toEqual([]);
    await node.exec(['sh', '-c', 'kill "$1"', 'sh', String(real.pid)]);
    await waitFor('the kubelet to end', () => !node.processes().some(({ pid }) => pid === real.pid) || undefined);
    await node.startKubelet();

    const pushed = await bed.push('impostor-pod', 'v1');
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    const [impostor] = node.processes().filter(({ argv }) => argv[0] === '/kubelet');
    const [kubelet] = node.processes().filter(({ argv }) => argv[0] === '/usr/bin/kubelet');
    expect(impostor.pid).toBeLessThan(kubelet.pid);
    expect(fs.existsSync(node.hostPath('/tmp/obeyed'))).toBe(false);
    await node.removePods();
  });

  test.each([['latin-1', '\\351'], ['no letter of any text', '\\377']])('with %s in its name does not end the run', async (what, byte) => {
    const name = `bytes-${what.split(' ')[0]}`;
    const deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, name)] }));
    const node = await bed.addNode(deployment);
    await node.exec(['bash', '-c', `exec -a "$(printf '${byte}')" sleep 90 >/dev/null 2>&1 </dev/null &`]);
    await waitFor('the process', () => commandLines(node).some(words => /^[^\x00-\x7f]\0/.test(words)) || undefined);
    // The real one has the higher process id.
    await node.stopKubelet();
    await node.startKubelet();

    const pushed = await bed.push(name, 'v1');
    expect(await pushRun(deployment, pushed)).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });
});

/** Of every process, as bytes. */
function commandLines(node: Node): string[] {
  return node.processes().map(({ pid }) => {
    try {
      return fs.readFileSync(node.hostPath(`/proc/${pid}/cmdline`), 'latin1');
    } catch {
      return ''; // It has just ended.
    }
  });
}
