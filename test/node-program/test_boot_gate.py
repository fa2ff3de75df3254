"""The boot gate's own program: what it asks whom, and what it believes."""
import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from conftest import load

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / 'assets' / 'boot-gate' / 'boot_gate.py'
KEY = ('AKID', 'secret', 'session+/=token')


@pytest.fixture
def gate(monkeypatch, tmp_path):
    """A fresh copy for each test, which writes its report elsewhere and does not take time to try again."""
    module = load(PROGRAM)
    monkeypatch.setattr(module, 'REPORT', str(tmp_path / 'run' / 'gate.json'))
    monkeypatch.setattr(module.random, 'uniform', lambda low, high: 0.01)
    for name in [name for name in os.environ if name.startswith('AWS_') or name.lower().endswith('_proxy')]:
        monkeypatch.delenv(name)
    return module


@contextlib.contextmanager
def server(answer):
    """Serves answer(method, path, headers, body) -> (status, body); gives its address and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get('content-length', 0)))
            asked.append((self.command, self.path, dict(self.headers), body))
            status, text = answer(*asked[-1])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_GET

        def log_message(self, *_):
            pass

    one = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f'http://127.0.0.1:{one.server_port}', asked
    finally:
        one.shutdown()
        one.server_close()


def metadata(method, path, headers, body):
    headers = {name.lower(): value for name, value in headers.items()}
    if method == 'PUT' and path == '/latest/api/token' and headers['x-aws-ec2-metadata-token-ttl-seconds'] == '300':
        return 200, 'a-token'
    if headers.get('x-aws-ec2-metadata-token') != 'a-token':
        return 401, ''
    role = dict(Code='Success', AccessKeyId=KEY[0], SecretAccessKey=KEY[1], Token=KEY[2])
    answers = {'': 'nodes', 'nodes': json.dumps(role)}
    return 200, answers[path.replace('/latest/meta-data/iam/security-credentials/', '')]


# ---- Credentials ----

def test_credentials_of_the_instance_role(gate, monkeypatch):
    with server(metadata) as (url, _):
        monkeypatch.setenv('AWS_EC2_METADATA_SERVICE_ENDPOINT', url + '/')
        assert gate.credentials(time.monotonic() + 9) == KEY


def test_credentials_of_the_environment_come_first(gate, monkeypatch):
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'one')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'two')
    assert gate.credentials(time.monotonic() + 9) == ['one', 'two', '']


def test_the_metadata_service_is_never_asked_by_a_proxy(gate, monkeypatch):
    with server(metadata) as (url, _), server(lambda *_: (502, '')) as (proxy, asked):
        monkeypatch.setenv('AWS_EC2_METADATA_SERVICE_ENDPOINT', url)
        monkeypatch.setenv('http_proxy', proxy)
        assert gate.credentials(time.monotonic() + 9) == KEY
    assert asked == []


# ---- Endpoints ----

@pytest.mark.parametrize('region, suffix, environment, expected', [
    ('us-east-1', 'amazonaws.com', {}, 'https://ssm.us-east-1.amazonaws.com'),
    ('cn-north-1', 'amazonaws.com.cn', {}, 'https://ssm.cn-north-1.amazonaws.com.cn'),
    ('eusc-de-east-1', 'amazonaws.eu', {}, 'https://ssm.eusc-de-east-1.amazonaws.eu'),
    ('us-iso-east-1', 'c2s.ic.gov', {}, 'https://ssm.us-iso-east-1.c2s.ic.gov'),
    ('us-isob-east-1', 'sc2s.sgov.gov', {}, 'https://ssm.us-isob-east-1.sc2s.sgov.gov'),
    ('eu-isoe-west-1', 'cloud.adc-e.uk', {}, 'https://ssm.eu-isoe-west-1.cloud.adc-e.uk'),
    ('us-isof-east-1', 'csp.hci.ic.gov', {}, 'https://ssm.us-isof-east-1.csp.hci.ic.gov'),
    ('us-east-1', 'amazonaws.com', {'AWS_USE_FIPS_ENDPOINT': 'true'}, 'https://ssm-fips.us-east-1.amazonaws.com'),
    ('us-gov-west-1', 'amazonaws.com', {'AWS_USE_FIPS_ENDPOINT': 'true'}, 'https://ssm.us-gov-west-1.amazonaws.com'),
    ('us-east-1', 'amazonaws.com', {'AWS_USE_DUALSTACK_ENDPOINT': 'TRUE'}, 'https://ssm.us-east-1.api.aws'),
    ('cn-north-1', 'amazonaws.com.cn', {'AWS_USE_DUALSTACK_ENDPOINT': 'true'},
     'https://ssm.cn-north-1.api.amazonwebservices.com.cn'),
    ('us-east-1', 'amazonaws.com', {'AWS_USE_FIPS_ENDPOINT': 'true', 'AWS_USE_DUALSTACK_ENDPOINT': 'true'},
     'https://ssm-fips.us-east-1.api.aws'),
    ('us-east-1', 'amazonaws.com', {'AWS_ENDPOINT_URL': 'http://a:1'}, 'http://a:1'),
    ('us-east-1', 'amazonaws.com', {'AWS_ENDPOINT_URL': 'http://a:1', 'AWS_ENDPOINT_URL_SSM': 'http://b:2'},
     'http://b:2'),
])
def test_endpoints(gate, monkeypatch, region, suffix, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert gate.endpoint(region, suffix) == expected


def test_endpoints_are_those_of_the_sdk(gate, monkeypatch):
    session = pytest.importorskip('botocore.session').get_session()
    resolver = session._get_internal_component('endpoint_resolver')
    from botocore.config import Config
    compared = 0
    for fips, dual_stack in [(False, False), (True, False), (False, True), (True, True)]:
        monkeypatch.setenv('AWS_USE_FIPS_ENDPOINT', str(fips))
        monkeypatch.setenv('AWS_USE_DUALSTACK_ENDPOINT', str(dual_stack))
        for partition in session.get_available_partitions():
            for region in session.get_available_regions('ssm', partition):
                config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack)
                try:
                    client = session.create_client('ssm', region, config=config, aws_access_key_id='a',
                                                   aws_secret_access_key='b')
                    operation = client.meta.service_model.operation_model('GetDocument')
                    url, _, _ = client._resolve_endpoint_ruleset(operation, {}, {'client_config': client.meta.config})
                except Exception:
                    continue  # the partition has no such endpoint
                suffix = resolver.get_partition_dns_suffix(partition)
                assert (region, gate.endpoint(region, suffix)) == (region, url)
                compared += 1
    assert compared > 100


# ---- The document ----

SCRIPT = ['echo "$@" "[$SSM_Pushed]" \\', '  "$SSM_StartDelaySeconds" "$PROXY"']
DOCUMENT = dict(parameters={'Pushed': {'default': ''}, 'StartDelaySeconds': {'default': '0'}},
                mainSteps=[dict(inputs=dict(runCommand=SCRIPT))])


def serve_document(method, path, headers, body):
    return 200, json.dumps(dict(Content=json.dumps(DOCUMENT)))


def test_asks_for_the_latest_version_of_the_document(gate, monkeypatch):
    with server(serve_document) as (url, asked), server(metadata) as (imds, _):
        monkeypatch.setenv('AWS_ENDPOINT_URL', url)
        monkeypatch.setenv('AWS_EC2_METADATA_SERVICE_ENDPOINT', imds)
        assert gate.get_document('Name', 'us-east-1', 'amazonaws.com', time.monotonic() + 9) == DOCUMENT
    [(method, path, headers, body)] = asked
    headers = {name.lower(): value for name, value in headers.items()}
    assert (method, path, json.loads(body)) == ('POST', '/', dict(Name='Name', DocumentVersion='$LATEST'))
    assert headers['x-amz-target'] == 'AmazonSSM.GetDocument'
    assert headers['x-amz-security-token'] == KEY[2]
    assert 'SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target' in headers['authorization']


def fetch(gate, monkeypatch, *answers):
    """Fetches where the service answers that, one after the other; gives the error and how often it was asked."""
    left = list(answers)
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'one')
    with server(lambda *_: left.pop(0) if len(left) > 1 else left[0]) as (url, asked):
        monkeypatch.setenv('AWS_ENDPOINT_URL', url)
        try:
            gate.fetch('Name', 'us-east-1', 'amazonaws.com', time.monotonic() + 2)
            return '', len(asked)
        except OSError as error:
            return str(error), len(asked)


@pytest.mark.parametrize('status, body', [
    (400, '{"__type":"InvalidDocument","message":"Document with name Name does not exist."}'),
    (400, '{"__type":"AccessDeniedException","message":"User: arn:… is not authorized to perform: ssm:GetDocument"}'),
    (400, '{"__type":"ValidationException","message":"1 validation error detected"}'),
])
def test_what_lasts_is_said_at_once(gate, monkeypatch, status, body):
    error, asked = fetch(gate, monkeypatch, (status, body))
    assert asked == 1
    assert error.startswith('cannot fetch the SSM document Name: HTTP Error 400')
    assert json.loads(body)['message'] in error


@pytest.mark.parametrize('status, body', [
    (400, '{"__type":"ThrottlingException"}'), (429, ''), (500, ''), (503, ''), (200, ''), (200, '{'), (200, '{}'),
    (400, '{"__type":"UnrecognizedClientException"}'), (400, '{"__type":"ExpiredTokenException"}'),
    (400, '{"__type":"InvalidSignatureException","message":"Signature not yet current"}'),
])
def test_what_may_pass_is_tried_again(gate, monkeypatch, status, body):
    document = 200, json.dumps(dict(Content='{}'))
    assert fetch(gate, monkeypatch, (status, body), (status, body), document) == ('', 3)


def test_a_service_that_hangs_is_given_up_in_time(gate, monkeypatch):
    held = threading.Event()
    monkeypatch.setattr(gate, 'FETCH_SECONDS', 2)
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'one')
    began = time.monotonic()
    with server(lambda *_: held.wait(30) and (200, '')) as (url, _):
        monkeypatch.setenv('AWS_ENDPOINT_URL', url)
        with pytest.raises(OSError, match='cannot fetch the SSM document Name: .*timed out'):
            gate.fetch('Name', 'us-east-1', 'amazonaws.com', time.monotonic() + 60)
        held.set()
    assert time.monotonic() - began < 4


def test_what_does_not_pass_ends_in_time(gate, monkeypatch):
    monkeypatch.setattr(gate, 'FETCH_SECONDS', 0.3)
    error, asked = fetch(gate, monkeypatch, (503, 'busy'))
    assert asked > 1
    assert error.endswith('HTTP Error 503: Service Unavailable busy')


# ---- The kubelet's environment ----

def fake_systemctl(folder, text):
    program = folder / 'systemctl'
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    program.chmod(0o755)
    return f'{folder}:{os.environ["PATH"]}'


@pytest.mark.parametrize('text, expected', [
    ('Environment=HTTPS_PROXY=http://proxy:3128 NO_PROXY=.internal,10.0.0.0/8',
     dict(HTTPS_PROXY='http://proxy:3128', NO_PROXY='.internal,10.0.0.0/8')),
    ('Environment="A=with blanks" B=http://user:p#w@host', dict(A='with blanks', B='http://user:p#w@host')),
    ('Environment=', {}),
    ('', {}),
    ('Environment=caf\xe9=1 1=2 =3 no', {}),
])
def test_what_systemd_shows(gate, monkeypatch, tmp_path, text, expected):
    monkeypatch.setenv('PATH', fake_systemctl(tmp_path, text))
    assert gate.kubelet_environment() == expected


def test_bytes_beyond_utf_8(gate, monkeypatch, tmp_path):
    (tmp_path / 'systemctl').write_bytes(b"#!/bin/sh\nprintf 'Environment=A=\\377 B=2\\n'\n")
    (tmp_path / 'systemctl').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    assert gate.kubelet_environment()['B'] == '2'


@pytest.mark.skipif(os.getuid() != 0, reason='only root can make files of root')
@pytest.mark.parametrize('how, believed', [('as it should be', True), ('group may write', False),
                                           ('folder of all', False), ('owner', False), ('pipe', False),
                                           ('missing', False)])
def test_environment_files_are_roots(gate, monkeypatch, how, believed):
    folder = pathlib.Path('/run') / f'boot-gate-test-{os.getpid()}'
    folder.mkdir(mode=0o755)
    try:
        file = folder / 'environment'
        file.write_text('# HTTP_PROXY=no\n; a comment\nHTTPS_PROXY="http://proxy:3128"\nWORDS=one two\n')
        file.chmod(0o644)
        if how == 'group may write':
            file.chmod(0o664)
        elif how == 'folder of all':
            folder.chmod(0o1777)
        elif how == 'owner':
            os.chown(file, 65534, 0)
        elif how == 'pipe':
            file.unlink()
            os.mkfifo(file)
        elif how == 'missing':
            file.unlink()
        text = f'Environment=A=1 HTTPS_PROXY=earlier\nEnvironmentFiles={file} (ignore_errors=no)'
        (folder / 'bin').mkdir()
        monkeypatch.setenv('PATH', fake_systemctl(folder / 'bin', text))
        found = gate.kubelet_environment()
        assert found == (dict(A='1', HTTPS_PROXY='http://proxy:3128', WORDS='one two') if believed
                         else dict(A='1', HTTPS_PROXY='earlier'))
    finally:
        subprocess.run(['rm', '-r', str(folder)], check=True)


# ---- As a whole ----

@contextlib.contextmanager
def whole(tmp_path, shown='Environment=PROXY=by-the-kubelet', programs=('curl', 'sh', 'cat')):
    """The environment of a run whose report is in a folder of the test's."""
    for name in programs:
        (tmp_path / name).symlink_to(subprocess.check_output(['which', name], text=True).strip())
    fake_systemctl(tmp_path, shown)
    copy = tmp_path / 'boot_gate.py'
    copy.write_text(PROGRAM.read_text().replace('/run/cdk-eks-image-prefetcher', str(tmp_path / 'state')))
    with server(serve_document) as (url, asked), server(metadata) as (imds, _):
        yield copy, dict(PATH=str(tmp_path), AWS_ENDPOINT_URL=url, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds), asked


def run(copy, environment, seconds=60):
    done = subprocess.run([sys.executable, str(copy), 'Name', 'us-east-1', 'amazonaws.com', str(seconds)],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    return done, json.loads((copy.parent / 'state' / 'gate.json').read_text())


def test_runs_the_script_with_its_moment_its_seconds_and_the_kubelets_environment(tmp_path):
    with whole(tmp_path) as (copy, environment, _):
        done, report = run(copy, environment)
    _, line = done.stdout.splitlines()
    assert done.returncode == 0
    moment, seconds, *rest = line.split(' ')
    assert (moment, rest) == ('gate', ['[]', '0', 'by-the-kubelet'])
    assert 50 <= int(seconds) <= 57
    assert report['outcome'] == 'interrupted'  # the program writes over it


def test_without_curl_it_says_so_at_once(tmp_path):
    with whole(tmp_path, programs=('sh', 'cat')) as (copy, environment, asked):
        done, report = run(copy, environment)
    assert (done.returncode, done.stderr) == (1, 'the boot gate failed: curl is not on this node\n')
    assert report['error'] == 'curl is not on this node'
    assert asked == []


@pytest.mark.parametrize('shown', ['Environment="unbalanced', '\x00'])
def test_an_environment_that_cannot_be_read_holds_nothing_up(tmp_path, shown):
    with whole(tmp_path, shown) as (copy, environment, _):
        done, _ = run(copy, environment)
    assert done.stdout.splitlines()[-1].startswith('gate ')


def test_is_small_and_needs_the_standard_library_only():
    text = PROGRAM.read_text()
    assert len(text) < 8_700
    compile(text, 'boot_gate.py', 'exec', dont_inherit=True)
    __import__('ast').parse(text, feature_version=(3, 9))
    assert 'PYTHON' not in text.splitlines()
    # The user data is filled in by @PLACEHOLDERS@.
    assert '@' not in text
