"""What systemd gives to the kubelet is read as systemd reads and prints it, by the node program and by the boot gate."""
import os
import pathlib
import random

import pytest
from conftest import ASSETS, load

SEED = random.SystemRandom().randrange(10 ** 6)
PROXY = 'http://us$er:p`a@proxy:3128'


@pytest.fixture(params=['program', 'gate'])
def read(request, monkeypatch, tmp_path):
    """read(Environment= as systemctl shows it, texts of files) -> the environment, by either program."""
    def files(texts):
        paths = [tmp_path / f'environment-{at}' for at in range(len(texts))]
        for path, text in zip(paths, texts):
            if text is not None:
                path.write_bytes(text.encode() if isinstance(text, str) else text)
        return '\n'.join(f'EnvironmentFiles={path} (ignore_errors=yes)' for path in paths)

    def by_program(shown, *texts):
        module = load()
        monkeypatch.setattr(module, 'trusted', os.path.realpath)
        monkeypatch.setattr(module, 'systemctl_show', lambda: (
            f'LoadState=loaded\nMainPID=0\nEnvironment={shown}\n{files(texts)}\n'))
        return module.find_kubelet().environment

    def by_gate(shown, *texts):
        module = load(ASSETS / 'boot-gate' / 'boot_gate.py')
        monkeypatch.setattr(module, 'only_root_writes', lambda path: True)
        (tmp_path / 'shown').write_text(f'Environment={shown}\n{files(texts)}\n')
        program = tmp_path / 'systemctl'
        program.write_text(f'#!/bin/sh\nexec cat {tmp_path}/shown\n')
        program.chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
        return module.kubelet_environment()

    return by_program if request.param == 'program' else by_gate


@pytest.mark.parametrize('text, value', [
    ('A=b', 'b'), ('A=', ''), ('A=""', ''), ("A=''", ''), ('A = b', 'b'), ('  A=b  ', 'b'), ('A=b\r\nB=c\r', 'b'),
    ('A=b c', 'b c'),
    ('A="b c"', 'b c'), ("A='b c'", 'b c'), ('A="b"\'c\'', 'bc'), ('A="b" "c"', 'bc'), ('A="b"c', 'bc'), ("A=it's", "it's"),
    ('A=b"c"', 'b"c"'), ('A=$HOME', '$HOME'), ('A="$HOME"', '$HOME'), (r'A="\$HOME"', '$HOME'), (r"A='$HOME'", '$HOME'),
    (r'A="a\"b"', 'a"b'), (r'A="a\\b"', r'a\b'), (r'A="a\tb"', r'a\tb'), (r"A='a\b'", r'a\b'), (r'A=a\ b', 'a b'),
    (r'A=a\\b', r'a\b'),
    (r'A=a\"b', 'a"b'), (r'A="a\`b"', 'a`b'), ('A=b#c', 'b#c'), ('A=b # c', 'b # c'), ('A=b=c=d', 'b=c=d'), ('A=b\\\nc', 'bc'),
    ('A="b \\\n c"', 'b  c'), ('A=first\nA=b', 'b'), ('# A=no\nA=b\n; A=no', 'b'), ('\n\n\nA=b\n\n', 'b'), ('B="open\nA=b', 'b'),
    ('export A=no\nA=b', 'b'), ('1A=no\nA=b', 'b'), ('no\nA=b', 'b'), ('A=b', 'b'), (b'B=\xff\nA=b', 'b'),
    ('A=caf\xe9', 'caf\xe9'),
    (f'A="{PROXY}"', PROXY), (f"A='{PROXY}'", PROXY), (f'A={PROXY}', PROXY),
])
def test_a_file_is_read_as_systemd_reads_it(read, text, value):
    assert read('', text).get('A') == value


def shown(text):
    """As `systemctl show` prints a word (systemd's shell_maybe_quote)."""
    if not set(text) & set('"\\`$*?[\'()<>|&;! \t'):
        return text
    return '"' + ''.join('\\' + letter if letter in '"\\`$' else letter for letter in text) + '"'


def test_what_systemctl_shows_is_the_value_again(read):
    print(f'seed {SEED}')
    draw = random.Random(SEED)
    for _ in range(15):
        given = {f'N{at}': ''.join(draw.choices('ab:/=\'"\\$` ;#%*', k=draw.randrange(12))) for at in range(20)}
        found = read(' '.join(shown(f'{name}={value}') for name, value in given.items()))
        assert {name: found.get(name) for name in given} == given


def test_a_file_that_is_missing_or_not_believed_costs_no_other(read):
    assert read('Z=0 A=unit', None, 'A=b\nC=d', None, 'A=last')['A'] == 'last'
    assert read('Z=0', None)['Z'] == '0'


def test_arguments_of_nodeadms_file_are_found_behind_what_cannot_be_read(monkeypatch, tmp_path):
    module = load()
    monkeypatch.setattr(module, 'trusted', os.path.realpath)
    file = pathlib.Path(tmp_path / 'environment')
    file.write_text('WORDS=it\'s\nBAD="open\nNODEADM_KUBELET_ARGS="--image-credential-provider-bin-dir=/a \\\n'
                    '--image-credential-provider-bin-dir=/b --x"\n')
    monkeypatch.setattr(module, 'systemctl_show', lambda: (
        f'LoadState=loaded\nMainPID=0\nEnvironment=\nEnvironmentFiles=/nowhere (ignore_errors=yes)\n'
        f'EnvironmentFiles={file} (ignore_errors=no)\n'))
    # The last flag counts, as for the kubelet.
    assert module.find_kubelet().flag('image-credential-provider-bin-dir', '') == '/b'
