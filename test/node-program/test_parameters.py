"""The grammar of the parameters: everything in them is input from outside."""
import json
import subprocess
import sys
import time

import pytest
from conftest import PROGRAM, parameters

HOST = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
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
])
def test_takes(run, word):
    run.read_parameters(*parameters(Images=word))
    assert run.words == [word]


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
    'docker.io/library/busybox?newest=1', '12345.dkr.ecr.us-east-1.amazonaws.com/app?newest=1', '--help', '-',
])
def test_refuses_the_image(run, word):
    with pytest.raises(ValueError, match='Image is'):
        run.read_parameters(*parameters(Images=word))


@pytest.mark.parametrize('change', [
    dict(Owner=''), dict(Owner='a b'), dict(Owner=65 * 'a'), dict(Owner='a/b'), dict(Owner='a\nb'),
    dict(Pushed='a'), dict(Pushed=f'{HOST}/app:v1 x'), dict(Pushed=f'{HOST}/app@{DIGEST}'),
    dict(Pushed=f'{HOST}/app:latest;reboot'), dict(ParallelPulls='0'), dict(ParallelPulls='17'),
    dict(ParallelPulls='1.5'), dict(PinImages='True'), dict(PinImages=''), dict(MaxDiskUsage='0'),
    dict(MaxDiskUsage='101'), dict(TimeoutSeconds='59'), dict(TimeoutSeconds='172801'), dict(TimeoutSeconds='1e3'),
])
def test_refuses_and_names_the_parameter(run, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        run.read_parameters(*parameters(**change))


def test_the_boot_gate_may_be_short(program):
    program.Run('gate').read_parameters(*parameters(TimeoutSeconds='10'))
    with pytest.raises(ValueError, match='TimeoutSeconds'):
        program.Run('gate').read_parameters(*parameters(TimeoutSeconds='9'))


@pytest.mark.parametrize('seconds', [60, 600, 172800])
def test_ends_before_systems_manager_ends_it(run, seconds):
    run.read_parameters(*parameters(TimeoutSeconds=str(seconds)))
    assert 5 <= run.started + seconds - run.deadline <= 30


def test_hostile_words_take_no_time(program):
    started = time.monotonic()
    for text in ('a' * 30000, 'a.' * 15000, 'a-' * 15000, 'a/' * 15000 + ':', 'a.b/' + 'a__' * 10000,
                 f'{HOST}/' + 'a,' * 15000, f'{HOST}/a?newest=1' + '&include=*' * 3000 + '!'):
        assert not program.FIXED.fullmatch(text)
        assert not program.NEWEST.fullmatch(text)
    stars = program.selections([f'{HOST}/a?newest=1&include=' + 'a*' * 100 + 'c'])[0]
    assert not stars.takes('a' * 127 + 'b')
    assert time.monotonic() - started < 2


def test_the_time_of_the_boot_gate_replaces_that_of_the_document(program):
    run = program.Run('gate')
    run.read_parameters(*parameters(), '120')
    assert 100 < run.deadline - run.started < 120


def test_says_which_setting_it_does_not_know(run):
    with pytest.raises(ValueError, match="setting 'Reboot'"):
        run.read_parameters(*parameters(Reboot='now'))


def test_a_bad_setting_ends_with_2_and_one_summary(tmp_path):
    environment, settings = parameters(Images='docker.io/a:$(reboot)')
    (tmp_path / 'settings').write_text(settings, encoding='utf-8')
    script = f'exec "{sys.executable}" - 3<"{tmp_path}/settings"'
    ended = subprocess.run(['sh', '-c', script], input=PROGRAM.read_text(encoding='utf-8'), capture_output=True,
                           text=True, timeout=20, env=environment)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, ended.stderr, len(lines)) == (2, '', 1)
    assert 'docker.io/a:$(reboot)' in lines[0]['summary']['error']
