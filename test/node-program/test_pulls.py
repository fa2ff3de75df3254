"""Pulling: order, room on the disk, what counts as there."""
import collections
import json
import threading

import pytest

GIB = 2 ** 30
Figures = collections.namedtuple('Figures', 'f_frsize f_blocks f_bavail')


@pytest.fixture
def node(program, run, monkeypatch):
    """A containerd of dictionaries on a disk of 100 GiB; a pull takes the size of the image."""
    class Node:
        def __init__(self):
            self.used, self.present, self.pulled, self.marked, self.fails = 0, {}, [], [], {}
            self.now, self.most, self.lock = 0, 0, threading.Lock()
            self.gates = {}
            self.dropped = 0

        def statvfs(self, _):
            return Figures(4096, 100 * GIB // 4096, (100 - self.used) * GIB // 4096)

        def pull(self, _, image):
            with self.lock:
                self.pulled.append(image.reference)
                self.now += 1
                self.most = max(self.most, self.now)
            try:
                self.gates.get(image.reference, threading.Event()).wait(0.05)
                failures = self.fails.get(image.reference)
                if failures:
                    raise failures.pop(0)
                self.used += image.size / GIB
                self.present[image.reference] = ([image.by_digest()], image.size)
                self.present[image.by_digest()] = ([image.by_digest()], image.size)
            finally:
                with self.lock:
                    self.now -= 1

    one = Node()
    monkeypatch.setattr(program.os, 'statvfs', one.statvfs)
    monkeypatch.setattr(program, 'pull_once', one.pull)
    monkeypatch.setattr(program, 'image_status', lambda _, reference: one.present.get(reference))
    monkeypatch.setattr(program, 'mark', lambda _, image, pulled: one.marked.append((image.reference, pulled)))
    monkeypatch.setattr(program, 'drop_partial', lambda _: setattr(one, 'dropped', one.dropped + 1))
    return one


def image(program, name, size=GIB, digest=None, **more):
    one = program.Image(f'h.io/{name}', more.pop('source', 'fixed'), more.pop('repeat', False))
    one.digest = f'sha256:{digest or name:0>64}' if digest != '' else None
    one.size = size
    vars(one).update(more)
    return one


def bring(program, run, capsys, *images):
    run.images = list(images)
    run.missing = set(images)
    program.bring(run)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line['image'].partition('/')[2]: line for line in lines}


def test_pulls_what_is_not_there_and_pins_it(program, run, node, capsys):
    there = image(program, 'a:1', there=([], 0))
    there.there = node.present['h.io/a:1'] = ([there.by_digest()], 5)
    lines = bring(program, run, capsys, there, image(program, 'b:1'))
    assert (lines['a:1']['outcome'], lines['a:1']['bytes']) == ('present', 5)
    assert (lines['b:1']['outcome'], lines['b:1']['bytes'], lines['b:1']['digest']) == (
        'pulled', GIB, f'sha256:{"b:1":0>64}')
    assert node.pulled == ['h.io/b:1']
    assert sorted(node.marked) == [('h.io/a:1', False), ('h.io/b:1', True)]
    assert not run.missing


def test_never_more_side_by_side_than_asked_for(program, run, node, capsys):
    run.parallel = 2
    bring(program, run, capsys, *[image(program, f'a:{number}') for number in range(6)])
    assert len(node.pulled) == 6
    assert node.most == 2


def test_a_second_tag_waits_for_the_first(program, run, node, capsys):
    images = [image(program, 'a:latest', digest='x'), image(program, 'a:v1', digest='x', repeat=True),
              image(program, 'b:1')]
    bring(program, run, capsys, *images)
    assert node.pulled.index('h.io/a:v1') == 2


def test_what_does_not_fit_is_refused_with_the_figures_and_harms_no_other(program, run, node, capsys):
    node.used = 60
    lines = bring(program, run, capsys, image(program, 'large:1', 6 * GIB), image(program, 'small:1', GIB))
    assert lines['large:1']['outcome'] == 'refused'
    assert '60.0% full of 100.0 GiB' in lines['large:1']['reason']
    assert 'about 18.00 GiB more, MaxDiskUsage is 75%' in lines['large:1']['reason']
    assert lines['small:1']['outcome'] == 'pulled'
    assert [one.path for one in run.missing] == ['large']


@pytest.mark.parametrize('used, size, expected', [
    (0, 25, 'pulled'), (0, 25.1, 'refused'), (74, 0.3, 'pulled'), (74, 0.4, 'refused'), (76, 0, 'refused')])
def test_the_threshold(program, run, node, capsys, used, size, expected):
    node.used = used
    assert bring(program, run, capsys, image(program, 'a:1', int(size * GIB)))['a:1']['outcome'] == expected


def test_room_is_kept_for_pulls_under_way_and_the_first_of_the_list_comes_first(program, run, node, capsys):
    # Each needs 30 GiB while it arrives and keeps 10: three fit one after the other, not side by side.
    run.max_usage = 55
    lines = bring(program, run, capsys, *[image(program, f'a:{number}', 10 * GIB) for number in range(5)])
    assert node.pulled == ['h.io/a:0', 'h.io/a:1', 'h.io/a:2']
    assert node.most == 1
    assert [lines[f'a:{number}']['outcome'] for number in range(5)] == 3 * ['pulled'] + 2 * ['refused']


def test_another_tag_of_what_is_there_needs_no_room(program, run, node, capsys):
    node.used = 90
    one = image(program, 'a:v2', digest='x')
    node.present[one.by_digest()] = ([one.by_digest()], GIB)
    assert bring(program, run, capsys, one)['a:v2']['outcome'] == 'pulled'


def test_when_the_disk_fills_up_the_pull_that_began_last_stops(program, run, node):
    run.flights = [image(program, name) for name in ('a:1', 'b:1', 'c:1')]
    node.used = 74
    assert not any(program.too_full(run, one) for one in run.flights)
    node.used = 76
    assert [bool(program.too_full(run, one)) for one in run.flights] == [False, False, True]
    assert [bool(program.too_full(run, one)) for one in run.flights[:2]] == [False, True]


def test_what_a_stopped_pull_has_written_is_dropped(program, run, node, capsys):
    node.fails['h.io/a:1'] = [program.Failure('stopped half-way', outcome='refused')]
    assert bring(program, run, capsys, image(program, 'a:1'))['a:1']['outcome'] == 'refused'
    assert node.dropped == 1
    assert node.pulled == ['h.io/a:1']


def test_passing_failures_are_tried_again(program, run, node, capsys):
    node.fails['h.io/a:1'] = [program.Failure('503 Service Unavailable'), program.Failure('connection reset')]
    assert bring(program, run, capsys, image(program, 'a:1'))['a:1']['outcome'] == 'pulled'
    assert len(node.pulled) == 3


def test_lasting_failures_are_not(program, run, node, capsys):
    node.fails['h.io/a:1'] = [program.Failure('not found', 5)]
    lines = bring(program, run, capsys, image(program, 'a:1'), image(program, 'b:1'))
    assert (lines['a:1']['outcome'], lines['a:1']['reason']) == ('failed', 'not found')
    assert lines['b:1']['outcome'] == 'pulled'
    assert len(node.pulled) == 2


@pytest.mark.parametrize('failure, expected', [('503 Service Unavailable', 'present'), ('not found', 'present'),
                                               ('denied', 'failed')])
def test_a_tag_that_is_there_but_cannot_be_asked_for(program, run, node, capsys, failure, expected):
    node.fails['h.io/a:1'] = [program.Failure(failure)]
    lines = bring(program, run, capsys, image(program, 'a:1', digest='', there=(['h.io/a@sha256:1'], 5)))
    assert lines['a:1']['outcome'] == expected
    assert failure in lines['a:1']['reason']
    assert len(node.pulled) == 1


def test_a_tag_that_moved_and_cannot_be_pulled_is_a_failure(program, run, node, capsys):
    node.fails['h.io/a:1'] = [program.Failure('not found')]
    moved = image(program, 'a:1', there=(['h.io/a@sha256:1'], 5))
    assert bring(program, run, capsys, moved)['a:1']['outcome'] == 'failed'
    assert run.missing


def test_an_image_that_is_gone_from_ecr(program, run, node, capsys):
    gone = 'it is not in ECR (any more)'
    node.fails['h.io/a:1'] = [program.Failure('repository does not exist: not found')]
    lines = bring(program, run, capsys, image(program, 'a:1', gone=gone),
                  image(program, 'b:1', gone=gone, digest='', there=(['h.io/b@sha256:1'], 5)))
    assert (lines['a:1']['outcome'], lines['a:1']['reason']) == ('skipped', gone)
    assert (lines['b:1']['outcome'], lines['b:1']['reason']) == ('present', gone)
    assert [one.path for one in run.missing] == ['a']


def test_an_image_that_is_not_in_ecr_yet_is_fetched_by_its_pull_through_cache(program, run, node, capsys):
    lines = bring(program, run, capsys, image(program, 'a:1', gone='it is not in ECR (any more)'))
    assert lines['a:1']['outcome'] == 'pulled'
    assert not run.missing


def test_what_is_no_container_image_is_not_pulled(program, run, node, capsys):
    lines = bring(program, run, capsys, image(program, 'a:1', gone=program.NO_IMAGE))
    assert (lines['a:1']['outcome'], node.pulled) == ('skipped', [])


def test_an_image_that_was_loaded_without_a_registry_has_no_digest(program, run, node, capsys):
    node.fails['h.io/a:1'] = [program.Failure('connection refused')]
    lines = bring(program, run, capsys, image(program, 'a:1', digest='', there=([], 5)))
    assert lines['a:1']['outcome'] == 'present'
    assert 'digest' not in lines['a:1']


def test_a_pull_that_leaves_no_image_is_a_failure(program, run, node, monkeypatch, capsys):
    monkeypatch.setattr(program, 'image_status', lambda *_: None)
    lines = bring(program, run, capsys, image(program, 'a:1'))
    assert lines['a:1']['outcome'] == 'failed' and 'does not list' in lines['a:1']['reason']


def test_at_the_deadline_everything_left_is_reported(program, run, node, capsys):
    run.deadline = program.time.monotonic() + 0.02
    run.parallel = 1
    lines = bring(program, run, capsys, *[image(program, f'a:{number}') for number in range(4)])
    assert len(lines) == 4
    assert len(node.pulled) == 1
    assert all('TimeoutSeconds is over' in lines[f'a:{number}']['reason'] for number in range(1, 4))


def test_something_unforeseen_is_reported_and_no_success(program, run, node, capsys):
    node.fails['h.io/a:1'] = [KeyError('auth')]
    lines = bring(program, run, capsys, image(program, 'a:1'))
    assert (lines['a:1']['outcome'], lines['a:1']['reason']) == ('failed', "KeyError('auth')")
    assert run.missing


def test_an_image_that_cannot_be_pinned_is_there_all_the_same(program, run, node, monkeypatch, capsys):
    def fail(*_):
        raise program.Failure('no')
    monkeypatch.setattr(program, 'mark', fail)
    lines = bring(program, run, capsys, image(program, 'a:1'))
    assert lines['a:1']['outcome'] == 'pulled' and 'not pinned: no' in lines['a:1']['reason']


def test_output_stays_within_what_systems_manager_keeps(program, run, capsys):
    for number in range(300):
        run.report(f'{"h" * 100}/{number}:1', 'present', digest='sha256:' + 64 * 'a', bytes=number)
    for number in range(300):
        run.report(f'{"h" * 100}/{number}:1', 'failed', 'ü"\\' * 1000)
    run.error = '"' * 5000
    run.say(dict(summary=dict(run.summary(), gate=run.summary())))
    output = capsys.readouterr().out
    assert len(output) <= 24000
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines[-1]['summary']['present'] == 300 and lines[-1]['summary']['failed'] == 300
    assert any(line.get('outcome') == 'failed' for line in lines)
