"""Runs the node program before the kubelet starts: fetches its SSM document, as the SSM agent does, and runs it.

Reads what systemd gives to the kubelet (a proxy), the credentials of the instance's role, and the document; writes one
report, which the next run by Systems Manager takes along. Standard library of Python 3.9 only.
"""
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote, urlsplit

REPORT = '/run/cdk-eks-image-prefetcher/gate.json'
STARTED_AT = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
STARTED = time.monotonic()
DUAL_STACK = {
    'amazonaws.com': 'api.aws', 'amazonaws.com.cn': 'api.amazonwebservices.com.cn',
    'amazonaws.eu': 'api.amazonwebservices.eu', 'c2s.ic.gov': 'api.aws.ic.gov', 'sc2s.sgov.gov': 'api.aws.scloud',
    'cloud.adc-e.uk': 'api.cloud-aws.adc-e.uk', 'csp.hci.ic.gov': 'api.aws.hci.ic.gov',
}
# Errors that no second question changes; all others may pass: fresh credentials, a clock not yet set, a busy service.
LASTING = re.compile('AccessDenied|InvalidDocument|Validation|NotAuthorized')
FETCH_SECONDS = 60


def report(outcome, **facts):
    os.makedirs(os.path.dirname(REPORT), 0o700, exist_ok=True)
    with open(REPORT, 'w') as file:
        json.dump(dict(facts, startedAt=STARTED_AT, outcome=outcome), file)


def only_root_writes(path):
    """Whether that is a file that nobody but root can have written or put there."""
    path = pathlib.Path(path).resolve()
    states = [one.stat() for one in [path, *path.parents]]
    return stat.S_ISREG(states[0].st_mode) and all(one.st_uid == 0 and not one.st_mode & 0o022 for one in states)


def unquote(value):
    """As systemd reads an EnvironmentFile: quotes count where a value begins with one."""
    if value[:1] not in ('"', "'"):
        return re.sub(r'\\(.)', r'\1', value)
    try:
        value = ''.join(shlex.split(value))
    except ValueError:
        pass
    return re.sub(r'\\([$`])', r'\1', value)


def kubelet_environment():
    """What the kubelet's unit gives to the kubelet alone, such as a proxy."""
    shown = subprocess.run(['systemctl', 'show', 'kubelet.service', '-pEnvironment', '-pEnvironmentFiles'],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10).stdout.decode(errors='replace')
    found = [unquote(word).partition('=') for text in re.findall('(?m)^Environment=(.*)', shown)
             for word in re.findall(r'"(?:\\.|[^"])*"|\S+', text)]
    for path in re.findall(r'(?m)^EnvironmentFiles=(.*) \(ignore_errors=\w+\)', shown):
        if os.path.exists(path) and only_root_writes(path):
            with open(path, errors='replace') as file:
                lines = file.read().replace('\\\n', '').split('\n')
            found += [map(unquote, map(str.strip, line.partition('='))) for line in lines]
    named = re.compile(r'(?a)[A-Za-z_]\w*').fullmatch
    return dict((name, value) for name, equals, value in found if equals and named(name) and '\0' not in value)


def open_url(end, url, headers, body=None, method=None, proxies=None):
    seconds = max(1, min(10, end - time.monotonic()))
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler(proxies)).open(request, timeout=seconds) as answer:
        return answer.read(1 << 20)


def credentials(end):
    """(access key, secret key, session token) of the environment, else of the instance's role."""
    names = 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'
    if os.environ.get(names[0]):
        return [os.environ.get(name, '') for name in names]
    service = os.environ.get('AWS_EC2_METADATA_SERVICE_ENDPOINT') or 'http://169.254.169.254'

    def ask(path, headers, method='GET'):
        return open_url(end, f'{service.rstrip("/")}/latest/{path}', headers, method=method, proxies={}).decode()

    token = ask('api/token', {'x-aws-ec2-metadata-token-ttl-seconds': '300'}, 'PUT')
    allowed, roles = {'x-aws-ec2-metadata-token': token}, 'meta-data/iam/security-credentials/'
    answer = json.loads(ask(roles + ask(roles, allowed).split()[0], allowed))
    return answer['AccessKeyId'], answer['SecretAccessKey'], answer['Token']


def sign(url, headers, body, key, region, service, now):
    """The headers of a POST with AWS's signature, version 4.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    access_key, secret_key, session_token = key
    date = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))
    headers = {**headers, 'host': urlsplit(url).netloc, 'x-amz-date': date}
    if session_token:
        headers['x-amz-security-token'] = session_token
    names = sorted(headers)
    signed, scope = ';'.join(names), f'{date[:8]}/{region}/{service}/aws4_request'
    lines = ['POST', quote(urlsplit(url).path or '/', safe='/~'), '', *[f'{name}:{headers[name]}' for name in names],
             '', signed, hashlib.sha256(body).hexdigest()]
    summary = hashlib.sha256('\n'.join(lines).encode()).hexdigest()
    signature = ('AWS4' + secret_key).encode()
    for part in *scope.split('/'), f'AWS4-HMAC-SHA256\n{date}\n{scope}\n{summary}':
        signature = hmac.new(signature, part.encode(), 'sha256').digest()
    headers['authorization'] = (f'AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, '
                                f'Signature={signature.hex()}')
    return headers


def endpoint(region, suffix):
    """Where Systems Manager answers, as the AWS SDKs choose it."""
    given = os.environ.get('AWS_ENDPOINT_URL_SSM') or os.environ.get('AWS_ENDPOINT_URL')
    if given:
        return given
    asked = [os.environ.get(f'AWS_USE_{name}_ENDPOINT', '').lower() == 'true' for name in ('FIPS', 'DUALSTACK')]
    fips, dual_stack = asked
    if dual_stack:
        suffix = DUAL_STACK.get(suffix, suffix)
    elif region.startswith('us-gov-'):
        fips = False  # every endpoint is one there, under the plain name
    return f'https://ssm{"-fips" * fips}.{region}.{suffix}'


def get_document(name, region, suffix, end):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetDocument.html"""
    url = endpoint(region, suffix)
    body = json.dumps(dict(Name=name, DocumentVersion='$LATEST')).encode()
    headers = {'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AmazonSSM.GetDocument'}
    signed = sign(url, headers, body, credentials(end), region, 'ssm', time.time())
    answer = open_url(end, url, signed, body)
    return json.loads(json.loads(answer)['Content'])


def fetch(name, region, suffix, end):
    end, pause = min(end, time.monotonic() + FETCH_SECONDS), 0.5
    while True:
        try:
            return get_document(name, region, suffix, end)
        except Exception as error:
            problem = str(error) or repr(error)
            if isinstance(error, urllib.error.HTTPError):
                problem += ' ' + error.read(1000).decode(errors='replace')
            # Many nodes may have started together.
            pause = min(10, pause * random.uniform(1.2, 2.5))
            if LASTING.search(problem) or time.monotonic() + pause > end:
                raise OSError(f'cannot fetch the SSM document {name}: {problem[:500]}') from None
            time.sleep(pause)


def main(name, region, suffix, seconds):
    # Earlier than systemd's bound, so that a report comes out.
    end = STARTED + int(seconds) - 3
    report('interrupted')
    print('waiting for the images of', name, 'for at most', seconds, 'seconds', flush=True)
    if not shutil.which('curl'):
        raise OSError('curl is not on this node')
    try:
        os.environ.update(kubelet_environment())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print('the environment of the kubelet cannot be read:', error, flush=True)
    document = fetch(name, region, suffix, end)
    for parameter, definition in document['parameters'].items():
        os.environ['SSM_' + parameter] = definition['default']
    script = '\n'.join(document['mainSteps'][0]['inputs']['runCommand'])
    left = str(max(10, int(end - time.monotonic())))
    os.execv('/bin/sh', ['sh', '-c', script, 'boot-gate', 'gate', left])


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except Exception as problem:
        report('failed', error=str(problem) or repr(problem), seconds=round(time.monotonic() - STARTED, 1))
        sys.exit(f'the boot gate failed: {problem}')
