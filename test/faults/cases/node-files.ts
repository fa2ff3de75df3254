import * as fs from 'node:fs';
import { status } from './rules';
import type { FaultCase } from '../fault-case';
import type { Scene } from '../scene';

const CONFIG = '/etc/kubernetes/kubelet/config.json';
const FAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`;
/** How far a clock may be off in a signed request: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html */
const SKEW_MINUTES = 5;

/** Takes a file away. */
const missing = (file: string) => async (scene: Scene) => {
  await scene.on(`mv ${file} ${file}.away`);
  return () => scene.on(`mv ${file}.away ${file}`);
};

/** Puts a script in a program's place, which is beside it as PROGRAM.away. */
const instead = (program: string, script: string) => async (scene: Scene) => {
  await scene.on(`mv ${program} ${program}.away && printf '%s\\n' '#!/bin/sh' '${script}' >${program} && chmod 755 ${program}`);
  return () => scene.on(`mv ${program}.away ${program}`);
};

/** Another content of a file. */
const written = (file: string, content: string) => (scene: Scene) => {
  const place = scene.node.hostPath(file);
  const before = fs.existsSync(place) ? fs.readFileSync(place) : undefined;
  fs.writeFileSync(place, content);
  return () => before ? fs.writeFileSync(place, before) : fs.rmSync(place);
};

/** AWS refuses requests whose signature is of another time; moto looks at no signature. */
function refuseOldSignatures({ ecr, logs }: Scene): void {
  for (const proxy of [ecr, logs]) {
    proxy.fault = ({ headers }) => {
      const [, year, month, day, hour, minute] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/.exec(String(headers['x-amz-date']))!.map(Number);
      const off = Math.abs(Date.now() - Date.UTC(year, month - 1, day, hour, minute)) / 60_000;
      return off <= SKEW_MINUTES + 1 ? undefined : status(400, { __type: 'InvalidSignatureException', message: `Signature expired: ${String(headers['x-amz-date'])} is now earlier than allowed` });
    };
  }
}

/** Files and programs of the node that are not as expected. */
export const NODE_FILES: FaultCase[] = [
  {
    fault: 'The kubelet\'s configuration is missing',
    inject: missing(CONFIG),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The kubelet\'s configuration is YAML',
    inject: written(CONFIG, 'kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n'),
    status: 'Success',
    outcome: 'pulled',
    says: /note: .*config\.json is not the JSON that is read here/,
  },
  {
    fault: 'A drop-in of the kubelet\'s configuration names another image endpoint',
    inject: async scene => {
      await scene.on('ln -s /run/containerd/containerd.sock /run/other.sock');
      const restore = written(`${CONFIG}.d/50-other.conf`, JSON.stringify({ imageServiceEndpoint: 'unix:///run/other.sock' }))(scene);
      return async () => {
        restore();
        await scene.on('rm /run/other.sock');
      };
    },
    status: 'Success',
    outcome: 'pulled',
    expect: ([run]) => expect(run.summary.endpoint).toBe('unix:///run/other.sock'),
  },
  {
    fault: 'A drop-in of the kubelet\'s configuration is half written',
    inject: written(`${CONFIG}.d/50-half.conf`, '{"imageServiceEndpoint": "unix:///run/oth'),
    status: 'Success',
    outcome: 'pulled',
    says: /note: .*50-half\.conf is not the JSON that is read here/,
  },
  {
    fault: 'The kubelet\'s configuration names an image endpoint that nobody serves',
    seconds: 60,
    inject: written(`${CONFIG}.d/50-nobody.conf`, JSON.stringify({ imageServiceEndpoint: 'unix:///run/nobody.sock' })),
    status: 'Failed',
    says: /error: the node is not ready: unix:\/\/\/run\/nobody\.sock/,
    alarms: ['Failures'],
  },
  {
    fault: 'Others than root can write the credential providers\' configuration',
    inject: async scene => {
      await scene.on('chmod 666 /etc/eks/image-credential-provider/config.json');
      return () => scene.on('chmod 644 /etc/eks/image-credential-provider/config.json');
    },
    status: 'Failed',
    outcome: 'failed',
    says: /config\.json is not believed: others than root can change/,
  },
  {
    fault: 'curl is missing',
    inject: missing('/usr/bin/curl'),
    status: 'Failed',
    says: /error: cannot run curl: No such file or directory/,
    alarms: ['Failures'],
  },
  {
    fault: 'curl is too old for HTTP/2',
    inject: instead('/usr/bin/curl', 'case "$*" in *http2*) echo "curl: option --http2-prior-knowledge: the installed libcurl version does not support this" >&2; exit 4;; esac; exec curl.away "$@"'),
    status: 'Failed',
    says: /error: this curl cannot speak HTTP\/2/,
    alarms: ['Failures'],
  },
  {
    fault: 'Python is missing',
    inject: missing('/usr/bin/python3'),
    status: 'Failed',
    says: /no report; standard error: .*python3: not found/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'The clock is a day slow',
    moment: 'reconcile',
    inject: async scene => {
      if (!fs.existsSync(FAKETIME)) {
        throw new Error(`${FAKETIME} is not there: testbed/setup.sh installs it on Debian and Ubuntu`);
      }
      const restore = await instead('/usr/bin/python3', `LD_PRELOAD=${FAKETIME} FAKETIME=-1d exec python3.away "$@"`)(scene);
      refuseOldSignatures(scene);
      return restore;
    },
    status: 'Failed',
    says: /failed: DescribeImages: InvalidSignatureException: Signature expired/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'The SSM agent is too old for parameters as environment variables',
    inject: scene => {
      scene.target.agent = 'old';
      return () => { scene.target.agent = undefined; };
    },
    status: 'Success',
    outcome: 'pulled',
  },
];
