"""Runs the node program before the kubelet starts: fetches the SSM document, as the SSM agent does, and runs it."""
import json
import os
import subprocess
import sys
import time

# The next run by Systems Manager takes this along. The node program writes over it when it ends.
REPORT = '/run/cdk-eks-image-prefetcher/gate.json'
STARTED_AT = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def report(outcome, **facts):
    os.makedirs(os.path.dirname(REPORT), 0o700, exist_ok=True)
    with open(REPORT, 'w') as file:
        json.dump(dict(facts, startedAt=STARTED_AT, outcome=outcome), file)


def fetch(name, region):
    command = ['aws', 'ssm', 'get-document', '--region', region, '--name', name]
    retries = {'AWS_RETRY_MODE': 'standard', 'AWS_MAX_ATTEMPTS': '5'}
    answer = subprocess.run([*command, '--query', 'Content', '--output', 'text'], env=dict(os.environ, **retries),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if answer.returncode:
        raise OSError(f'cannot fetch the SSM document {name}: {answer.stderr.decode(errors="replace").strip()[-500:]}')
    return json.loads(answer.stdout)


def main(name, region, seconds):
    end = time.monotonic() + int(seconds)
    report('interrupted')
    print('waiting for the images of', name, 'for at most', seconds, 'seconds', flush=True)
    document = fetch(name, region)
    for parameter, definition in document['parameters'].items():
        os.environ['SSM_' + parameter] = definition['default']
    # The program stops by itself first, so that it can still report what is missing.
    os.environ['SSM_TimeoutSeconds'] = str(max(10, int(end - time.monotonic()) - 3))
    script = '\n'.join(document['mainSteps'][0]['inputs']['runCommand'])
    os.execv('/bin/sh', ['sh', '-c', script, 'boot-gate', 'gate'])


try:
    main(*sys.argv[1:])
except Exception as error:
    report('failed', error=str(error))
    sys.exit(f'the boot gate failed: {error}')
