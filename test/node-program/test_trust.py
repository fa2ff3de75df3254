"""What the program believes: of processes, files, plugins and APIs."""
import json
import os
import random
import subprocess
import sys
import time

import pytest
from conftest import HOST, digest, settings

APP = f'{HOST}/app'


@pytest.fixture
def folder(tmp_path):
    """A folder whose parents root alone may write, as far as the program can tell."""
    path = f'/run/prefetcher-test-{os.getpid()}-{time.monotonic_ns()}'
    try:
        os.mkdir(path, 0o755)
    except PermissionError:
        pytest.skip('only root can make files of root')
    yield path
    subprocess.run(['rm', '-rf', path], check=True)


def write(path, text, mode=0o644, user=0):
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, mode)
    os.chown(path, user, user)
    return path


def test_what_root_alone_can_write_is_read(program, folder, monkeypatch):
    monkeypatch.setattr(program, 'trusted', program.really_trusted)
    assert program.read_trusted(write(folder + '/a', 'text\xff')) == 'text\xff'
    os.symlink(folder + '/a', folder + '/link')
    assert program.read_trusted(folder + '/link') == 'text\xff'


@pytest.mark.parametrize('spoil', [
    lambda folder: os.chown(folder + '/a', 1000, 1000),
    lambda folder: os.chmod(folder + '/a', 0o666),
    lambda folder: (os.chmod(folder + '/a', 0o664), os.chown(folder + '/a', 0, 1000)),
    lambda folder: os.chmod(folder, 0o777),
    lambda folder: os.chmod(folder, 0o1777),
    lambda folder: os.chown(folder, 1000, 0),
    lambda folder: (os.unlink(folder + '/a'), os.symlink(write('/tmp/prefetcher-test-a', 'x'), folder + '/a')),
    lambda folder: (os.unlink(folder + '/a'), os.mkfifo(folder + '/a')),
    lambda folder: (os.unlink(folder + '/a'), os.mkdir(folder + '/a')),
    lambda folder: (os.unlink(folder + '/a'), os.symlink(folder + '/a', folder + '/a')),
    lambda folder: os.unlink(folder + '/a'),
], ids=['a user\'s', 'world-writable', 'group-writable', 'in a folder for all', 'in a sticky folder', 'in a user\'s folder',
        'a link out of it', 'a FIFO', 'a folder', 'a loop', 'not there'])
def test_what_others_can_write_or_is_no_file_is_not_read_and_never_waited_for(program, folder, monkeypatch, spoil):
    monkeypatch.setattr(program, 'trusted', program.really_trusted)
    write(folder + '/a', 'x')
    spoil(folder)
    started = time.monotonic()
    with pytest.raises(program.Failure):
        program.read_trusted(folder + '/a')
    assert time.monotonic() - started < 1


def running(argv, **options):
    process = subprocess.Popen([sys.executable, '-c', 'import time; print(flush=True); time.sleep(60)', *argv[1:]],
                               stdout=subprocess.PIPE, **options)
    process.stdout.readline()
    return process


@pytest.fixture
def no_systemd(program, monkeypatch):
    """Neither systemd nor nodeadm's file know a kubelet."""
    monkeypatch.setattr(program, 'KUBELET_ENVIRONMENT', '/nowhere')
    run_command = program.run_command
    monkeypatch.setattr(program, 'run_command', lambda command, *rest, **more: (
        (1, b'', '') if command[0] == 'systemctl' else run_command(command, *rest, **more)))


def kubelet(user=0, namespaces=(), seconds='60'):
    """A process whose argv[0] is `kubelet`."""
    command = ['unshare', *namespaces, '--'] if namespaces else []
    script = f'exec -a kubelet setpriv --reuid {user} --clear-groups sleep {seconds}'
    # setpriv keeps no argv[0]: bash does.
    script = f'exec setpriv --reuid {user} --clear-groups bash -c "exec -a kubelet sleep {seconds}"'
    process = subprocess.Popen([*command, 'bash', '-c', script])
    end = time.monotonic() + 5
    while time.monotonic() < end and not cmdline(process.pid).startswith(b'kubelet'):
        time.sleep(0.01)
    return process


def cmdline(pid):
    with open(f'/proc/{pid}/cmdline', 'rb') as file:
        return file.read()


@pytest.mark.parametrize('user, namespaces, believed', [
    (0, (), True), (1000, (), False), (0, ('--mount',), False),
])
def test_a_process_counts_only_as_roots_in_our_own_namespaces(program, no_systemd, user, namespaces, believed):
    if os.geteuid():
        pytest.skip('only root can start processes of others')
    process = kubelet(user, namespaces)
    try:
        assert (str(process.pid) in program.kubelet_processes()) is believed
    finally:
        process.kill()
        process.wait()


def test_what_systemd_says_needs_no_process_to_be_believed(program, monkeypatch, folder):
    file = write(folder + '/environment', 'NODEADM_KUBELET_ARGS="--image-credential-provider-bin-dir=/etc/eks/x --a=b"\n')
    shown = ('LoadState=loaded\nMainPID=0\nEnvironment=HTTPS_PROXY=http://proxy:3128 "NO_PROXY=a b"\n'
             f'EnvironmentFiles={file} (ignore_errors=no)\n')
    monkeypatch.setattr(program, 'run_command', lambda *_, **__: (0, shown.encode(), ''))
    found = program.find_kubelet()
    assert not found.running and found.flag('image-credential-provider-bin-dir', '') == '/etc/eks/x'
    assert (found.environment['HTTPS_PROXY'], found.environment['NO_PROXY']) == ('http://proxy:3128', 'a b')


def test_bytes_beyond_utf_8_in_any_process_end_nothing(program, no_systemd):
    process = running(['x', b'caf\xe9 \xff'])
    try:
        assert isinstance(program.find_kubelet().running, bool)
        assert any('\ufffd' in word for word in program.proc_words(str(process.pid), 'cmdline'))
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize('arguments, expected', [
    (['kubelet', '--x=1'], 'default'), (['kubelet', '--name=/a/b'], '/a/b'), (['kubelet', '--name', '/a/b', '--x'], '/a/b'),
    (['kubelet', '--name-other=/c', '--name=/a'], '/a'), ([], 'default'),
])
def test_flags(program, arguments, expected):
    assert program.Kubelet(True, arguments, {}).flag('name', 'default') == expected


# ---- Configuration ----

PROVIDERS = dict(providers=[dict(name='plugin', matchImages=['*.example.com'])])


def credentials_node(program, path):
    node = program.Node()
    node.read_credentials(program.Kubelet(True, ['kubelet', f'--image-credential-provider-config={path}'], {}))
    return node


@pytest.mark.parametrize('text, said', [
    ('kind: CredentialProviderConfig\nproviders: []', 'is not the JSON'),
    ('{"providers": null}', 'names no credential providers'),
    ('{"providers": [{"name": "x"}, {"matchImages": ["a"]}, 7]}', 'without a name or matchImages'), ('[1', 'is not the JSON'),
    ('{"providers": [{"name": "../../x", "matchImages": ["a"]}]}', 'without a name or matchImages'), ('[' * 9999, 'not the JSON'),
    ('', 'is not the JSON'), ('"text"', 'is not the JSON'),
])
def test_a_config_of_another_kind_is_done_without_and_said(program, tmp_path, text, said):
    (tmp_path / 'config.json').write_text(text)
    node = credentials_node(program, tmp_path / 'config.json')
    assert said in '; '.join(node.notes)
    assert [one['name'] for one in node.providers] == ['ecr-credential-provider']  # which every EKS node has


def test_a_folder_of_configs_is_read_as_the_kubelet_does(program, tmp_path):
    (tmp_path / 'b.json').write_text(json.dumps(dict(providers=[dict(name='two', matchImages=['x'])])))
    (tmp_path / 'a.json').write_text(json.dumps(PROVIDERS))
    (tmp_path / 'c.txt').write_text('other')
    assert [one['name'] for one in credentials_node(program, tmp_path).providers] == ['plugin', 'two']


def test_later_drop_ins_win_and_the_threshold_of_the_kubelet_counts(program, monkeypatch):
    files = {'/etc/kubernetes/kubelet/config.json': dict(containerRuntimeEndpoint='unix:///a', imageGCHighThresholdPercent=40),
             '10': dict(imageServiceEndpoint='unix:///c'), '20': dict(imageServiceEndpoint='unix:///d'), '30': 'half: written'}
    monkeypatch.setattr(program, 'config_files', lambda path, *_: ['10', '20', '30'] if path.endswith('.d') else [path])
    texts = dict((path, one if isinstance(one, str) else json.dumps(one)) for path, one in files.items())
    monkeypatch.setattr(program, 'read_trusted', texts.get)
    node = program.Node()
    node.read_endpoints()
    assert (node.containerd, node.images, node.max_usage) == ('unix:///a', 'unix:///d', 39)


@pytest.mark.parametrize('pattern, image, expected', [
    ('*.dkr.ecr.*.amazonaws.com', f'{HOST}/app:v1', True), ('*.amazonaws.com', f'{HOST}/app', False),
    ('*.dkr.ecr.*.amazonaws.com', '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app', False),
    ('*.*.registry.io', 'a.b.registry.io/x', True), ('*.registry.io', 'registry.io/x', False),
    ('app*.registry.io', 'app7.registry.io/x', True), ('registry.io', 'registry.io:5000/x', False),
    ('registry.io:5000', 'registry.io:5000/x', True), ('registry.io:5000', 'registry.io:5001/x', False),
    ('registry.io.5000', 'registry.io:5000/x', False), ('registry.io/team', 'registry.io/team/x', True),
    ('registry.io/team', 'registry.io/other/x', False), ('registry.io', 'REGISTRY.io/x', False),
])
def test_match_images(program, pattern, image, expected):
    assert program.matches_image(pattern, image) is expected


# ---- Plugins ----

@pytest.fixture
def plugin(program, tmp_path):
    """Credentials by a plugin that is a shell script."""
    def make(script, auths=None, environment=None, seconds=60):
        path = tmp_path / 'plugin'
        path.write_text('#!/bin/sh\necho "$HTTPS_PROXY" >> ' + str(tmp_path / 'ran') + '\n' + script)
        path.chmod(0o755)
        node = program.Node()
        node.plugins, node.environment = str(tmp_path), dict(os.environ, **(environment or {}))
        node.providers, node.auths = [dict(name='plugin', matchImages=['*.example.com'])], auths or {}
        return program.Credentials(node, program.Report(), program.Deadline(seconds))

    make.ran = lambda: (tmp_path / 'ran').read_text().split('\n')[:-1]
    return make


def answer(kind, auth):
    return f"cat > /dev/null; echo '{json.dumps(dict(cacheKeyType=kind, auth=auth))}'"


def of(program, credentials, text):
    return credentials.of(program.parse_reference(text))


def test_a_plugin_is_asked_once_a_registry(program, plugin):
    credentials = plugin(answer('Registry', {'a.example.com': dict(username='u', password='p')}))
    assert of(program, credentials, 'a.example.com/x:1') == of(program, credentials, 'a.example.com/y:1') == [('u', 'p')]
    assert of(program, credentials, 'b.example.com/y:1') == []
    assert len(plugin.ran()) == 2


def test_a_plugin_that_answers_for_one_image_is_asked_for_each(program, plugin):
    credentials = plugin('''image=$(sed 's/.*"image": "\\([^"]*\\)".*/\\1/')
echo '{"cacheKeyType":"Image","auth":{"'"${image%:*}"'":{"username":"u","password":"'"$image"'"}}}' ''')
    assert of(program, credentials, 'a.example.com/x:1') == [('u', 'a.example.com/x:1')]
    assert of(program, credentials, 'a.example.com/y:1') == [('u', 'a.example.com/y:1')]


def test_a_plugin_that_answers_for_all_is_asked_once(program, plugin):
    credentials = plugin(answer('Global', {'*.example.com': dict(username='u', password='p')}))
    assert of(program, credentials, 'a.example.com/x:1') == of(program, credentials, 'b.example.com/x:1') == [('u', 'p')]
    assert len(plugin.ran()) == 1


@pytest.mark.parametrize('script', ['echo garbage', 'true', 'echo null', 'echo []', 'printf "\\377"', 'echo broken >&2; exit 1',
                                    'echo \'{"auth": null}\'', 'echo \'{"auth": {"a.example.com": null}}\'',
                                    'echo \'{"auth": {"a.example.com": {"username": null, "password": 7}}}\''])
def test_a_plugin_that_answers_nonsense_fails_that_registry_only(program, plugin, script):
    credentials = plugin(script, {'a.example.com': dict(auth='bWU6c2VjcmV0')})
    assert of(program, credentials, 'a.example.com/x:1')[-1] == ('me', 'secret')


def test_a_plugin_gets_the_kubelets_environment(program, plugin):
    of(program, plugin('echo {}', environment=dict(HTTPS_PROXY='http://proxy:3128')), 'a.example.com/x:1')
    assert plugin.ran() == ['http://proxy:3128']


def test_a_plugin_that_others_can_write_is_not_run(program, plugin, monkeypatch):
    credentials = plugin(answer('Registry', {'a.example.com': dict(username='u', password='p')}))
    monkeypatch.setattr(program, 'trusted', program.really_trusted)
    assert of(program, credentials, 'a.example.com/x:1') == []
    assert 'others than root' in str(credentials.refusals['a.example.com'])
    with pytest.raises(FileNotFoundError):
        plugin.ran()


def test_a_plugin_that_hangs_is_ended_with_the_run_and_named(program, plugin):
    credentials = plugin('exec sleep 1000', seconds=0.5)
    assert of(program, credentials, 'a.example.com/x:1') == []
    said = str(credentials.refusals['a.example.com'])
    assert said == 'the credential provider plugin, asked for a.example.com, gave no answer within 0.5 s'


# ---- Tokens that expire ----

class Tokens:
    """A plugin that makes another token each time, and a registry that takes only some of them."""

    def __init__(self, program, node, monkeypatch):
        self.program, self.node, self.made, self.used, self.failures = program, node, 0, [], []
        self.good = lambda token: True
        self.words = '403 Forbidden denied: Your authorization token has expired. Reauthenticate and try again.'
        self.pull, node.ImageService_PullImage = node.ImageService_PullImage, self.checked_pull
        monkeypatch.setattr(program.Credentials, 'of', node.credentials_of)
        monkeypatch.setattr(program.Credentials, 'run', lambda credentials, provider, name, image: self.make(image))

    def make(self, image):
        if self.made and self.failures:
            raise self.failures.pop()
        self.made += 1
        return dict(cacheKeyType='Registry', auth={image.host: dict(username='AWS', password=f'token-{self.made}')})

    def checked_pull(self, sent, watch):
        token = sent['auth'][0]['password'][0]
        self.used.append(token)
        if not self.good(token):
            raise self.program.Failure(self.words, 2)
        return self.pull(sent, watch)

    def run(self, *names):
        for number, name in enumerate(names, 1):
            self.node.push(f'{HOST}/{name}', 'v1', number)
        return self.node.run(*[f'{HOST}/{name}:v1' for name in names], ParallelPulls='1')


@pytest.fixture
def tokens(program, node, monkeypatch):
    return Tokens(program, node, monkeypatch)


@pytest.mark.parametrize('words', [
    '403 Forbidden denied: Your authorization token has expired. Reauthenticate and try again.', '401 Unauthorized',
    'failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden', 'pull access denied',
])
def test_a_token_that_expires_half_way_through_a_run_is_asked_for_again(tokens, words):
    tokens.words = words
    tokens.good = lambda token: token == 'token-2' or len(tokens.used) == 1
    ran = tokens.run('a', 'b', 'c')
    assert set(ran.outcomes.values()) == {'pulled'} and ran.code == 0
    assert tokens.used == ['token-1', 'token-1', 'token-2', 'token-2'] and tokens.made == 2


def test_one_token_of_a_registry_is_used_by_all_its_images(tokens):
    assert tokens.run('a', 'b', 'c').code == 0
    assert tokens.made == 1


def test_a_registry_that_refuses_each_token_is_asked_twice_then_fails_that_image(tokens):
    tokens.good = lambda token: False
    ran = tokens.run('a')
    assert ran.outcomes == {f'{HOST}/a:v1': 'failed'} and '403 Forbidden' in ran.reason(f'{HOST}/a:v1')
    assert tokens.used == ['token-1', 'token-2']


def test_tags_of_a_repository_that_refuses_each_token_do_not_ask_the_plugin_over_and_over(tokens):
    tokens.good = lambda token: False
    for number in range(1, 9):
        tokens.node.push(APP, f'v{number}', number)
    ran = tokens.node.run(f'{APP}?newest=8', ParallelPulls='1')
    assert set(ran.outcomes.values()) == {'failed'} and tokens.made == 2 and len(tokens.used) == 9


def test_what_is_no_matter_of_credentials_asks_for_no_other_token(tokens):
    tokens.good, tokens.words = lambda token: False, 'manifest unknown: not found'
    tokens.run('a')
    assert tokens.made == 1


@pytest.mark.parametrize('words, outcome', [('ThrottlingException: Rate exceeded', 'pulled'), ('AccessDenied', 'failed')])
def test_a_plugin_that_cannot_make_another_token_is_tried_again_or_named(program, tokens, words, outcome):
    tokens.good = lambda token: token == 'token-2'
    tokens.failures = [program.Failure(f'the credential provider x failed: {words}')]
    ran = tokens.run('a')
    assert ran.outcomes == {f'{HOST}/a:v1': outcome}
    if outcome == 'failed':
        assert '403 Forbidden' in ran.reason(f'{HOST}/a:v1') and f'x failed: {words}' in ran.reason(f'{HOST}/a:v1')


@pytest.mark.parametrize('key', ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io'])
def test_the_kubelets_own_registry_credentials_count(program, key):
    node = program.Node()
    node.auths = {key: dict(auth='bWU6c2VjcmV0')}
    credentials = program.Credentials(node, program.Report(), program.Deadline(60))
    assert credentials.of(program.parse_reference('docker.io/nginx:1')) == [('me', 'secret')]


# ---- APIs ----

@pytest.mark.parametrize('said', [{}, dict(imageDetails=None), dict(imageDetails=[7]), dict(imageDetails=[{}])])
def test_ecr_that_answers_nonsense_fails_that_repository_only(program, node, monkeypatch, said):
    node.push(APP, 'v1', 1)
    call = program.Aws.call
    monkeypatch.setattr(program.Aws, 'call', lambda *asked: said if asked[5]['repositoryName'] == 'sick' else call(*asked))
    ran = node.run(f'{HOST}/sick?newest=1', f'{APP}?newest=1')
    assert ran.outcomes == {f'{HOST}/sick': 'failed', f'{APP}:v1': 'pulled'} and ran.code == 1
    assert 'sick' in ran.reason(f'{HOST}/sick')


def test_registry_that_answers_nonsense_leaves_the_image_as_it_is(program, node):
    node.pull('quay.io/app:v1', digest(1))
    node.registry['quay.io/app:v1'] = program.Failure('HTTP 500')
    ran = node.run('quay.io/app:v1')
    assert ran.outcomes == {'quay.io/app:v1': 'present'} and 'cannot ask whether it has moved' in ran.reason('quay.io/app:v1')


# ---- Answers of ECR and of the metadata service in odd forms ----

GOOD = dict(imageDigest=digest(3), imageTags=['v1'], imagePushedAt=3.0, imageSizeInBytes=3)


@pytest.mark.parametrize('change', [
    dict(imageTags=7), dict(imageTags=[7]), dict(imageTags=['a', None]), dict(imageTags={'a': 1}), dict(imageDigest=None),
    dict(imageDigest=7), dict(imageDigest=[]), dict(imageSizeInBytes='much'), dict(imageSizeInBytes=[1]),
    dict(imageSizeInBytes=float('nan')), dict(imageSizeInBytes=float('inf')), dict(imageManifestMediaType=[]),
    dict(imagePushedAt='2026-01-01'),
    dict(imagePushedAt=None), dict(imagePushedAt=float('nan')), dict(imageStatus=7), dict(registryId='1'), dict(imageTags=None),
])
@pytest.mark.parametrize('word', ['?newest=1', ':v1'])
def test_a_detail_in_an_odd_form_costs_its_repository_at_most_and_no_time(program, node, monkeypatch, change, word):
    node.push(f'{HOST}/good', 'v1', 1)
    call = program.Aws.call

    def odd(aws, service, endpoint, region, target, question, seconds=10):
        if question['repositoryName'] == 'odd':
            return dict(imageDetails=[dict(GOOD, **change)])
        return call(aws, service, endpoint, region, target, question, seconds)

    monkeypatch.setattr(program.Aws, 'call', odd)
    started = time.monotonic()
    ran = node.run(f'{HOST}/odd{word}', f'{HOST}/good?newest=1')
    assert ran.outcomes[f'{HOST}/good:v1'] == 'pulled' and time.monotonic() - started < 5
    assert all(line['image'] for line in ran.lines)


def test_whatever_a_question_meets_its_images_do_not_wait_for_the_time_limit(program, node, monkeypatch):
    monkeypatch.setattr(program.Prefetch, 'known', lambda *_: 1 / 0)
    node.push(f'{HOST}/app', 'v1', 1)
    started = time.monotonic()
    ran = node.run(f'{HOST}/app:v1', 'quay.io/app:v1')
    assert ran.outcomes[f'{HOST}/app:v1'] == ran.outcomes['quay.io/app:v1'] == 'failed' and time.monotonic() - started < 5
    assert 'ZeroDivisionError' in ran.reason('quay.io/app:v1')


@pytest.mark.parametrize('token', [lambda asked: 'same', lambda asked: str(asked % 2), str])
def test_a_listing_ends_whatever_token_comes_next(program, node, monkeypatch, token):
    asked = []

    def loop(*_, **__):
        asked.append(1)
        return dict(imageDetails=[], nextToken=token(len(asked)))

    monkeypatch.setattr(program.Aws, 'call', loop)
    started = time.monotonic()
    ran = node.run(f'{HOST}/app?newest=1')
    assert ran.reason(f'{HOST}/app') == f'DescribeImages of {HOST}/app does not end'
    assert time.monotonic() - started < 5


def test_empty_pages_between_are_read_on(program, node, monkeypatch):
    pages = [dict(imageDetails=[], nextToken='1'), dict(imageDetails=[GOOD], nextToken='2'), dict(imageDetails=[])]
    node.push(f'{HOST}/app', 'v1', 3)
    monkeypatch.setattr(program.Aws, 'call', lambda *_, **__: pages.pop(0))
    assert node.run(f'{HOST}/app?newest=1').outcomes == {f'{HOST}/app:v1': 'pulled'}


ROLE = dict(Code='Success', AccessKeyId='a', SecretAccessKey='b', Token='c')


def metadata(program, monkeypatch, *answers):
    """The keys of a metadata service that gives these answers about the role, or a status, one after the other."""
    left, asked = list(answers), []

    def request(http, method, url, headers, body='', seconds=10, *options):
        asked.append((method, url))
        said = f'session-{len(asked)}' if method == 'PUT' else 'node' if url.endswith('/') else left.pop(0)
        return program.Answer(said, {}, b'') if isinstance(said, int) else program.Answer(200, {}, said.encode())

    monkeypatch.setattr(program.Http, 'request', request)
    for name in [name for name in os.environ if name.startswith('AWS_')]:
        monkeypatch.delenv(name)
    return program.Aws(program.Http(program.Deadline(20)), program.Report()), asked


@pytest.mark.parametrize('said', [
    '', '<html>', 'null', '[]', '{}', '7', json.dumps(dict(Code='Failed')), 404, 500, 401,
    *[json.dumps(dict(ROLE, **{name: value})) for name in (
        'AccessKeyId', 'SecretAccessKey', 'Token') for value in (None, 7, [], {})],
])
def test_what_is_no_key_is_a_failure_that_may_pass(program, monkeypatch, said):
    aws, _ = metadata(program, monkeypatch, said, json.dumps(ROLE))
    with pytest.raises(program.Failure) as failure:
        aws.credentials()
    assert failure.value.transient
    assert aws.credentials() == ('a', 'b', 'c')


def test_a_session_that_is_refused_is_made_anew(program, monkeypatch):
    aws, asked = metadata(program, monkeypatch, 401, json.dumps(ROLE))
    with pytest.raises(program.Failure):
        aws.credentials()
    aws.credentials()
    assert [method for method, _ in asked].count('PUT') == 2


@pytest.mark.parametrize('value, usage', [(None, 84), (85, 84), (100, 100), (0, 100), ('85', 100), (1, 0), (-1, 100), ([], 100)])
def test_the_threshold_of_the_kubelet_in_odd_forms(program, monkeypatch, value, usage):
    monkeypatch.setattr(program, 'config_files', lambda path, *_: [] if path.endswith('.d') else [path])
    monkeypatch.setattr(program, 'read_trusted', lambda path: json.dumps(dict(imageGCHighThresholdPercent=value)))
    node = program.Node()
    node.read_endpoints()
    assert node.max_usage == usage


@pytest.mark.parametrize('flags, usage', [
    (['--image-gc-high-threshold=50'], 49), (['--image-gc-high-threshold', '50'], 49), (['--image-gc-high-threshold=100'], 100),
    (['--image-gc-high-threshold=30', '--image-gc-high-threshold=50'], 49), (['--image-gc-high-threshold=x'], 39), ([], 39),
])
def test_a_flag_of_the_kubelet_comes_before_its_file(program, monkeypatch, flags, usage):
    monkeypatch.setattr(program, 'config_files', lambda path, *_: [] if path.endswith('.d') else [path])
    monkeypatch.setattr(program, 'read_trusted', lambda path: json.dumps(dict(imageGCHighThresholdPercent=40)))
    monkeypatch.setattr(program, 'find_kubelet', lambda: program.Kubelet(True, ['kubelet', *flags], {}))
    monkeypatch.setattr(program, 'grpc', lambda *_: dict(image_filesystems=[dict(fs_id=[dict(mountpoint=['/'])])]))
    parameters = program.parse_parameters(settings(), {}, [])
    node = program.Node()
    program.wait_for_node(node, parameters, program.Deadline(5), None, ())
    assert node.max_usage == usage


@pytest.mark.parametrize('files, expected', [
    ({'/var/lib/kubelet/config.json': dict(auths={'a': {}}), '/.docker/config.json': dict(auths={'b': {}})}, ['a']),
    ({'/.docker/config.json': dict(auths={'b': {}}), '/var/lib/kubelet/.dockercfg': {'c': {}}}, ['b']),
    ({'/var/lib/kubelet/.dockercfg': {'c': {}}}, ['c']), ({'/var/lib/kubelet/config.json': {'d': {}}}, []),
    ({'/var/lib/kubelet/config.json': dict(auths=[], credsStore='x', credHelpers={'a': 'x'})}, []),
    ({'/var/lib/kubelet/config.json': [], '/var/lib/kubelet/.dockercfg': {'c': {}}}, ['c']), ({}, []),
])
def test_the_nodes_file_is_looked_for_where_the_kubelet_looks(program, monkeypatch, files, expected):
    monkeypatch.setattr(program, 'config_files', lambda path, *_: [path] if path in files else [])
    monkeypatch.setattr(program, 'read_trusted', lambda path: json.dumps(files[path]))
    node = program.Node()
    node.read_credentials(program.Kubelet(True, [], {}))
    assert list(node.auths) == expected


SEED = time.time_ns() % 2 ** 31


def test_garbage_of_containerd_is_a_failure_by_the_name_of_its_socket(program, monkeypatch):
    print(f'seed {SEED}')
    draw = random.Random(SEED)
    record = dict(name='quay.io/a:v1', labels=[dict(key='a', value='b')], target=dict(digest=digest(1), size=5),
                  updated_at=dict(seconds=5, nanos=6))
    kinds = [('RecordsResponse', dict(images=[record] * 2), lambda images: images.records()),
             ('ListImagesResponse', dict(images=[dict(id='a', repo_tags=['b'], size=5)]), lambda images: images.present()),
             ('ListContainersResponse', dict(containers=[dict(image=dict(image='a'))]), lambda images: images.used())]
    program.retry = lambda action, *_: action()
    for _ in range(3000):
        kind, message, use = draw.choice(kinds)
        data = bytearray(program.encode(kind, message))
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        data = bytes(data[:draw.randrange(len(data) + 1)] if draw.random() < 0.3 else data)
        monkeypatch.setattr(program, 'run_command', lambda *_, data=data, **__: (0, bytes(5) + data, 'grpc-status: 0\n'))
        try:
            use(program.Images(program.Node(), program.Deadline(5)))
        except program.Failure as failure:
            assert 'answers nonsense' in str(failure)


@pytest.mark.parametrize('time_', ['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '0000-00-00T99:99:99Z',
                                   '2026-01-01T00:00:00Z'])
def test_a_time_of_push_that_is_none_costs_no_image(program, node, monkeypatch, time_):
    node.push(f'{HOST}/app', 'v1', 1)
    parse = program.parse_parameters
    monkeypatch.setattr(program, 'parse_parameters', lambda text, environment, arguments: parse(
        text, dict(environment, SSM_PushedAt=time_), arguments))
    assert node.run(f'{HOST}/app:v1').outcomes == {f'{HOST}/app:v1': 'pulled'}
