"""The grammar of settings and parameters: everything in them is input from outside."""
import json
import subprocess
import sys
import time

import pytest
from conftest import HOST, PROGRAM, settings

DIGEST = 'sha256:' + 64 * 'a'


@pytest.mark.parametrize('word', [
    'docker.io/library/busybox:1.36',
    'localhost/pause:1',
    'localhost:5000/a/b:1',
    'registry:5000/a:1',
    '127.0.0.1:5000/a:1',
    'quay.io/a__b/c.d/e-f--g:V1_.-',
    f'{HOST}/team/app:v1',
    f'{HOST}/team/app@{DIGEST}',
    f'{HOST}/app?newest=1',
    f'{HOST}/app,team/other?newest=12&include=v*&include=release-*-x&exclude=*-rc',
    '123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/app?newest=1',
    '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app?newest=1',
    '123456789012.dkr-ecr.eu-west-1.on.aws/app?newest=1',
    f'{HOST}/{255 * "a"}:v1', f'{HOST}/{127 * "a"}/{127 * "a"}@{DIGEST}', f'docker.io/{247 * "a"}:v1',
    f'{HOST}/{255 * "a"},{255 * "b"}?newest=1',
])
def test_takes(program, word):
    assert len(program.parse_parameters(settings(word), {}, []).words) == 1


@pytest.mark.parametrize('word', [
    'busybox', 'busybox:1', 'library/busybox:1', 'docker.io/library/busybox', 'docker.io/library/busybox:',
    'docker.io/Library/busybox:1', 'docker.io/a//b:1', 'docker.io/a/:1', 'docker.io/-a:1', 'docker.io/a..b:1',
    'docker.io/a:' + 129 * 'x', 'docker.io/a:-x', 'docker.io/a:.x', 'docker.io/a:ü', 'dоcker.io/a:1',
    'docker.io/a:latest;reboot', 'docker.io/a:$(reboot)', 'docker.io/a:`reboot`', 'docker.io/a:1\\nb',
    'docker.io/a:"1"', "docker.io/a:'1'", 'docker.io/a:1|cat', 'docker.io/a:1&b', '../a:1', 'docker.io/../a:1',
    f'{HOST}/app@sha256:' + 63 * 'a', f'{HOST}/app@sha512:' + 64 * 'a', f'{HOST}/app:v1@{DIGEST}',
    f'{HOST}/app?newest=0', f'{HOST}/app?newest=', f'{HOST}/app?newest=-1', f'{HOST}/app?newest=99999',
    f'{HOST}/app,?newest=1', f'{HOST}/app?newest=1&include=', f'{HOST}/app?newest=1&include=a?b',
    f'{HOST}/app?newest=1&other=a', f'{HOST}/app?newest=1&include=[a]', f'{HOST}/app?include=a&newest=1',
    f'{HOST}/{256 * "a"}:v1', f'{HOST}/{128 * "a"}/{127 * "a"}@{DIGEST}', f'docker.io/{248 * "a"}:v1',
    f'{HOST}/{256 * "a"}?newest=1', f'{HOST}/a,{256 * "b"}?newest=1',
    'docker.io/library/busybox?newest=1', '12345.dkr.ecr.us-east-1.amazonaws.com/app?newest=1', '--help', '-',
])
def test_refuses_the_image(program, word):
    with pytest.raises(ValueError, match='Image|setting'):
        program.parse_parameters(settings(word), {}, [])


@pytest.mark.parametrize('change', [
    dict(Owner=''), dict(Owner='a b'), dict(Owner=65 * 'a'), dict(Owner='a/b'), dict(ParallelPulls='0'),
    dict(ParallelPulls='17'), dict(ParallelPulls='1.5'), dict(PinImages='True'), dict(PinImages=''), dict(MaxDiskUsage='0'),
    dict(MaxDiskUsage='101'), dict(TimeoutSeconds='59'), dict(TimeoutSeconds='172801'), dict(TimeoutSeconds='1e3'),
    dict(LogGroup='a b'), dict(Region='us_east'), dict(Revision='XYZ'),
])
def test_refuses_and_names_the_setting(program, change):
    with pytest.raises(ValueError, match=f'^{next(iter(change))} is '):
        program.parse_parameters(settings(**change), {}, [])


@pytest.mark.parametrize('name, value', [
    ('Pushed', 'a'), ('Pushed', 'quay.io/app:v1'),
    ('Pushed', f'{HOST}/{256 * "a"}:v1'),
    ('Pushed', f'{HOST}/app:v1 x'), ('Pushed', f'{HOST}/app@{DIGEST}'), ('Pushed', f'{HOST}/app:a;reboot'),
    ('PushedAt', 'yesterday'), ('Revision', '$(reboot)'),
    ('Revision', 'ffff'), ('StartDelaySeconds', '121'), ('StartDelaySeconds', '-1'),
])
def test_refuses_and_names_the_parameter(program, name, value):
    with pytest.raises(ValueError, match=f'^{name} is '):
        program.parse_parameters(settings(), {'SSM_' + name: value}, [])


def test_refuses_a_setting_that_it_does_not_know(program):
    with pytest.raises(ValueError, match='a setting is called'):
        program.parse_parameters(settings(Reboot='now'), {}, [])


def test_the_boot_gate_brings_its_own_time_limit_and_may_be_short(program):
    parameters = program.parse_parameters(settings(), {}, ['gate', '10'])
    assert (parameters.moment, parameters.seconds) == ('gate', 10)
    with pytest.raises(ValueError, match='TimeoutSeconds'):
        program.parse_parameters(settings(), {}, ['gate', '9'])


def test_a_caller_that_expects_another_revision_is_told(program):
    parsed = [program.parse_parameters(settings(), dict(SSM_Revision=one), []) for one in ('', '0123456789abcdef', 16 * 'f')]
    assert [one.stale for one in parsed] == [False, False, True]


@pytest.mark.parametrize('given, canonical', [
    ('docker.io/nginx:1', 'docker.io/library/nginx:1'),
    ('index.docker.io/library/nginx:1', 'docker.io/library/nginx:1'),
    ('index.docker.io/nginx:1', 'docker.io/library/nginx:1'),
    ('docker.io/org/app:1', 'docker.io/org/app:1'),
    ('quay.io/nginx:1', 'quay.io/nginx:1'),
])
def test_spells_a_reference_as_containerd_does(program, given, canonical):
    assert str(program.parse_reference(given)) == canonical


@pytest.mark.parametrize('filter_, tag, expected', [
    ('', 'anything', True), ('', 'sha256-0123.sig', False), ('&include=sha256-*', 'sha256-0123.sig', False),
    ('&include=v1', 'v1', True), ('&include=v1', 'v10', False), ('&include=v1', 'V1', False), ('&include=v*', 'v', True),
    ('&include=*-prod', 'v1-prod', True), ('&include=*-prod', 'prod', False), ('&include=v*-prod', 'v-pro', False),
    ('&include=a*a', 'a', False), ('&include=a*b*c', 'axxbxxc', True), ('&include=a*b*c', 'axxcxxb', False),
    ('&include=v.1', 'vx1', False), ('&include=v*&include=r*', 'r1', True), ('&include=v*&exclude=*-rc', 'v1-rc', False),
    ('&exclude=latest', 'latest', False), ('&exclude=a&exclude=b', 'b', False),
])
def test_takes_a_tag(program, filter_, tag, expected):
    assert program.parse_word(f'{HOST}/app?newest=1{filter_}').takes(tag) is expected


def test_a_push_is_matched_whichever_host_name_of_ecr_is_wanted(program):
    dual_stack = '123456789012.dkr-ecr.us-east-1.on.aws'
    words = [program.parse_word(one) for one in (f'{dual_stack}/app:v1', f'{HOST}/app?newest=1', f'{HOST}/other:v1')]
    arrivals = [str(one) for one in program.arrivals(words, f'{HOST}/app:v1')]
    assert arrivals == [f'{HOST}/app:v1', f'{dual_stack}/app:v1']
    assert [str(one) for one in program.arrivals(words[2:], f'{HOST}/other:v1')] == [f'{HOST}/other:v1']
    assert program.arrivals(words, f'{HOST}/other:v2') == []


@pytest.mark.parametrize('host', [
    'evil.com', '123456789012.dkr.ecr.us-east-1.evil.com', '123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.com',
    '12345.dkr.ecr.us-east-1.amazonaws.com', '123456789012.dkr.ecr.us-east-1.amazonaws.com:443',
    '123456789012.dkr.ecr.us-east.amazonaws.com', '123456789012.dkr.ecr.evil-1.amazonaws.com',
])
def test_no_other_host_gets_a_signed_request(program, host):
    assert not program.ECR_HOST.fullmatch(host)


@pytest.mark.parametrize('host, endpoint', [
    (HOST, 'https://api.ecr.us-east-1.amazonaws.com'),
    ('123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', 'https://ecr-fips.us-gov-west-1.amazonaws.com'),
    ('123456789012.dkr-ecr.eu-west-1.on.aws', 'https://ecr.eu-west-1.api.aws'),
    ('123456789012.dkr-ecr-fips.us-east-1.on.aws', 'https://ecr-fips.us-east-1.api.aws'),
    ('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'https://api.ecr.cn-north-1.amazonaws.com.cn'),
    ('123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn', 'https://ecr.cn-north-1.api.amazonwebservices.com.cn'),
    ('123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu', 'https://api.ecr.eusc-de-east-1.amazonaws.eu'),
    ('123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov', 'https://api.ecr.us-iso-east-1.c2s.ic.gov'),
])
def test_asks_ecr_where_the_registry_is(program, host, endpoint):
    assert program.endpoint_of(*program.ECR_HOST.fullmatch(host).group(2, 3, 4)) == endpoint


def test_hostile_words_take_no_time(program):
    started = time.monotonic()
    for text in ('a' * 30000, 'a.' * 15000, 'a-' * 15000, 'a/' * 15000 + ':', 'a.b/' + 'a__' * 10000,
                 f'{HOST}/' + 'a,' * 15000, f'{HOST}/a?newest=1' + '&include=*' * 3000 + '!'):
        assert not program.FIXED.fullmatch(text)
        assert not program.NEWEST.fullmatch(text)
    assert not program.parse_word(f'{HOST}/a?newest=1&include=' + 'a*' * 100 + 'c').takes('a' * 127 + 'b')
    assert time.monotonic() - started < 2


def test_a_bad_setting_ends_with_2_one_summary_and_the_reason_on_stderr(tmp_path):
    (tmp_path / 'settings').write_text(settings('docker.io/a:$(reboot)', LogGroup=''), encoding='utf-8')
    script = f'exec "{sys.executable}" - 3<"{tmp_path}/settings"'
    ended = subprocess.run(['sh', '-c', script], input=PROGRAM.read_text(encoding='utf-8'), capture_output=True,
                           text=True, timeout=20, env={})
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, len(lines)) == (2, 1)
    assert 'docker.io/a:$(reboot)' in lines[0]['summary']['error']
    assert 'docker.io/a:$(reboot)' in ended.stderr and len(ended.stderr) <= 510
