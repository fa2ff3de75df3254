"""The node program as a module, and a run of it that reaches no node."""
import importlib.util
import pathlib
import time

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / 'assets' / 'image_prefetcher.py'


def load():
    spec = importlib.util.spec_from_file_location('image_prefetcher', PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def program():
    """A fresh copy for each test, so that a test may replace its functions."""
    return load()


@pytest.fixture
def run(program, monkeypatch):
    """A run whose retries do not take time."""
    monkeypatch.setattr(program.random, 'uniform', lambda low, high: 0.0001)
    one = program.Run('reconcile')
    one.deadline = time.monotonic() + 20
    one.owner, one.words, one.pushed, one.pin = 'one', [], '', True
    one.parallel, one.max_usage, one.mount = 3, 75, '/'
    one.containerd = one.endpoint = 'unix:///nowhere.sock'
    return one


def parameters(**changes):
    """(environment, settings) of a run; what is not said has an ordinary value."""
    environment = dict(Pushed='', PushedAt='', StartDelaySeconds='0')
    settings = dict(Owner='one', Revision='0123456789abcdef', ParallelPulls='3', PinImages='true', MaxDiskUsage='75',
                    TimeoutSeconds='600', LogGroup='/prefetcher', Region='us-east-1')
    images = changes.pop('Images', '').split(' ') if changes.get('Images') else []
    for name, value in changes.items():
        (environment if name in environment else settings)[name] = value
    lines = [f'{name}={value}' for name, value in [*settings.items(), *(('Image', image) for image in images)]]
    return {'SSM_' + name: value for name, value in environment.items()}, '\n'.join(lines)
