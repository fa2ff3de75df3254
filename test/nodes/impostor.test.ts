import * as fs from 'node:fs';
import { newest, onRealNodes, pushRun } from './real-nodes';
import { Node, waitFor } from '../../testbed/engines';

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
