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
    values = dict(Owner='one', Images='', Pushed='', ParallelPulls='3', PinImages='true', MaxDiskUsage='75',
                  TimeoutSeconds='600')
    values.update(changes)
    return {'SSM_' + name: value for name, value in values.items()}
