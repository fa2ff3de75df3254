"""What the program takes over from the kubelet of its node."""
import json
import os
import stat

import pytest

ECR = '123456789012.dkr.ecr.us-east-1.amazonaws.com'


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def test_later_drop_ins_win(program, tmp_path):
    write(tmp_path / 'config.json', dict(containerRuntimeEndpoint='a', imageServiceEndpoint='b', other=1))
    write(tmp_path / 'config.json.d/20-x.conf', dict(imageServiceEndpoint='d'))
    write(tmp_path / 'config.json.d/10-x.conf', dict(imageServiceEndpoint='c', containerRuntimeEndpoint='e'))
    write(tmp_path / 'config.json.d/30-x.json', dict(imageServiceEndpoint='not a drop-in'))
    write(tmp_path / 'config.json.d/40-x.conf', 'half: written')
    assert program.merged_config(str(tmp_path)) == dict(containerRuntimeEndpoint='e', imageServiceEndpoint='d', other=1)


def test_no_config_yet(program, tmp_path):
    assert program.merged_config(str(tmp_path)) == {}


@pytest.mark.parametrize('command, expected', [
    ('kubelet\0--x=1\0', 'default'),
    ('kubelet\0--name=/a/b\0', '/a/b'),
    ('kubelet\0--name\0/a/b\0--x\0', '/a/b'),
    ('kubelet\0--name-other=/c\0--name=/a\0', '/a'),
    ('\0', 'default'),
])
def test_flags(program, command, expected):
    assert program.flag(command, 'name', 'default') == expected


@pytest.mark.parametrize('pattern, image, expected', [
    ('*.dkr.ecr.*.amazonaws.com', f'{ECR}/app:v1', True),
    ('*.dkr.ecr.*.amazonaws.com', '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app', False),
    ('*.dkr.ecr.*.amazonaws.com.cn', '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app', True),
    ('*.amazonaws.com', f'{ECR}/app', False),
    ('*.*.registry.io', 'a.b.registry.io/x', True),
    ('*.registry.io', 'registry.io/x', False),
    ('app*.registry.io', 'app7.registry.io/x', True),
    ('registry.io', 'registry.io:5000/x', False),
    ('registry.io:5000', 'registry.io:5000/x', True),
    ('registry.io:5000', 'registry.io:5001/x', False),
    ('registry.io.5000', 'registry.io:5000/x', False),
    ('registry.io/team', 'registry.io/team/x', True),
    ('registry.io/team', 'registry.io/other/x', False),
    ('registry.io', 'REGISTRY.io/x', False),
])
def test_match_images(program, pattern, image, expected):
    assert program.matches_image(pattern, image) is expected


def test_the_most_exact_credentials(program):
    auth = {'*.registry.io': dict(username='a', password='1'), 'x.registry.io/team': dict(username='b', password='2')}
    assert program.pick_credentials(auth, 'x.registry.io/team/app:v1') == ('b', '2')
    assert program.pick_credentials(auth, 'x.registry.io/app:v1') == ('a', '1')
    assert program.pick_credentials(auth, 'registry.io/app:v1') is None


@pytest.fixture
def plugin(run, tmp_path):
    """A provider that logs how it was called and answers with credentials for the host it was asked for."""
    path = tmp_path / 'provider'
    path.write_text('''#!/usr/bin/env python3
import json, os, sys
request = json.load(sys.stdin)
with open(os.environ['CALLS'], 'a') as file:
    print(json.dumps([request, sys.argv[1:]]), file=file)
if os.environ.get('BROKEN'):
    sys.exit('cannot: ' + os.environ['BROKEN'])
host = request['image'].partition('/')[0]
print(json.dumps(dict(auth=({host: dict(username='AWS', password='secret of ' + host)}))))
''')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    calls = tmp_path / 'calls'
    calls.touch()
    run.plugins = str(tmp_path)
    run.providers = [dict(name='provider', matchImages=['*.dkr.ecr.*.amazonaws.com'], args=['get'],
                          apiVersion='credentialprovider.kubelet.k8s.io/v1',
                          env=[dict(name='CALLS', value=str(calls))])]
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()]


def test_a_provider_is_asked_once_per_registry(program, run, plugin):
    other = ECR.replace('us-east-1', 'eu-west-1')
    for reference in (f'{ECR}/a:1', f'{ECR}/b:1', f'{other}/a:1', f'{ECR}/a:2'):
        user, password = program.credentials(run, reference)
        assert (user, password) == ('AWS', 'secret of ' + reference.partition('/')[0])
    assert [request['image'] for request, _ in plugin()] == [f'{ECR}/a:1', f'{other}/a:1']
    assert plugin()[0] == [dict(kind='CredentialProviderRequest', image=f'{ECR}/a:1',
                                apiVersion='credentialprovider.kubelet.k8s.io/v1'), ['get']]


def test_an_image_no_provider_matches_is_pulled_without_credentials(program, run, plugin):
    assert program.credentials(run, 'docker.io/library/busybox:1') is None
    assert plugin() == []


@pytest.mark.parametrize('reason, calls', [('request timed out', 2), ('AccessDeniedException', 1)])
def test_a_failing_provider_is_asked_again_only_when_it_may_pass(program, run, plugin, reason, calls):
    run.providers[0]['env'].append(dict(name='BROKEN', value=reason))
    assert [program.credentials(run, f'{ECR}/{name}:1') for name in 'ab'] == [None, None]
    assert len(plugin()) == calls


@pytest.mark.parametrize('reason, passing', [('request timed out', True), ('AccessDeniedException', False)])
def test_a_pull_without_what_a_failing_provider_would_have_said(program, run, plugin, monkeypatch, reason, passing):
    run.providers[0]['env'].append(dict(name='BROKEN', value=reason))
    pulls = []

    def cri(_, method, fields, **__):
        pulls.append(fields)
        if len(pulls) == 1:
            raise program.Failure('401 Unauthorized')

    monkeypatch.setattr(program, 'cri', cri)
    image = program.Image(f'{ECR}/a:1', 'fixed')
    with pytest.raises(program.Failure, match=f'401 Unauthorized; .*provider failed: cannot: {reason}') as raised:
        program.pull_once(run, image)
    assert raised.value.passing == passing
    # A public registry lets it.
    program.pull_once(run, image)
    assert pulls == [[(1, [(1, f'{ECR}/a:1')])]] * 2


def test_credentials_go_to_the_runtime_by_standard_input_only(program, run, plugin, monkeypatch):
    called = []

    def call(_, command, stdin=b'', *rest, **__):
        called.append((command, stdin))
        return 0, b'\0\0\0\0\0', 'grpc-status: 0\r\n'

    image = program.Image(f'{ECR}/a:1', 'fixed')
    run.credentials = program.credentials(run, image.reference)
    monkeypatch.setattr(program, 'call', call)
    program.pull_once(run, image)
    command, stdin = called[0]
    assert b'secret of' in stdin
    assert 'secret' not in ' '.join(command)
    assert not any('secret of' in value for value in os.environ.values())


def test_no_report_shows_a_password(program, run, plugin, capsys):
    program.credentials(run, f'{ECR}/a:1')
    password = f'secret of {ECR}'
    run.report('a', 'failed', f'denied for {password}, {program.basic(("AWS", password))}')
    assert 'secret of' not in capsys.readouterr().out
    run.error = f'denied for {password}'
    assert 'secret of' not in str(run.summary())
