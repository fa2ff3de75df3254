"""Pins, their owners, and what may be removed."""
import json

import pytest

PIN = 'io.cri-containerd.pinned'
A, B = 'cdk-eks-image-prefetcher/owner.a', 'cdk-eks-image-prefetcher/owner.b'
PULLED = 'cdk-eks-image-prefetcher/pulled'
HOST = '123456789012.dkr.ecr.us-east-1.amazonaws.com'


@pytest.mark.parametrize('labels, mark, expected', [
    # marking
    ({}, 'newest+pinned', {A: 'newest+pinned', PIN: 'pinned'}),
    ({}, 'newest', {A: 'newest'}),
    ({A: 'released'}, 'newest+pinned', {A: 'newest+pinned', PIN: 'pinned'}),
    ({A: 'newest+pinned', PIN: 'pinned'}, 'newest', {A: 'newest'}),
    ({B: 'fixed+pinned', PIN: 'pinned'}, 'newest', {A: 'newest', B: 'fixed+pinned', PIN: 'pinned'}),
    ({'x': 'y'}, 'fixed+pinned', {'x': 'y', A: 'fixed+pinned', PIN: 'pinned'}),
    # letting go
    ({A: 'newest+pinned', PIN: 'pinned', PULLED: 'true'}, None, {PULLED: 'true'}),
    ({A: 'newest+pinned', PIN: 'pinned'}, 'released', {A: 'released'}),
    ({A: 'newest+pinned', B: 'fixed+pinned', PIN: 'pinned'}, None, {B: 'fixed+pinned', PIN: 'pinned'}),
    ({A: 'newest+pinned', B: 'newest', PIN: 'pinned'}, None, {B: 'newest'}),
    # pinned by somebody else
    ({PIN: 'pinned'}, 'newest+pinned', {PIN: 'pinned'}),
    ({PIN: 'pinned'}, None, {PIN: 'pinned'}),
    ({PIN: 'pinned', A: 'newest'}, None, {PIN: 'pinned'}),
    ({PIN: 'pinned', B: 'released'}, 'newest+pinned', {PIN: 'pinned', B: 'released'}),
])
def test_labels(program, labels, mark, expected):
    before = dict(labels)
    assert program.relabel(labels, 'a', mark) == expected
    assert labels == before


@pytest.fixture
def containerd(program, run, monkeypatch):
    """containerd's records and the CRI's images as dictionaries, spoken to in protobuf."""
    class Containerd:
        def __init__(self):
            self.records, self.containers, self.removed = {}, [], []

        def image(self, identity, *names, digest=None):
            for name in names:
                self.records[name] = [identity, digest or name.partition('@')[2], {}]
            for name in names:
                if not self.records[name][1]:
                    self.records[name][1] = next(one for _, one, _ in self.records.values() if one)

        def grpc(self, _, endpoint, method, fields=(), **__):
            request = program.decode(program.encode(fields))
            return program.decode(program.encode(getattr(self, method.rpartition('/')[2])(request) or []))

        def List(self, _):
            return [(1, [(1, name), (3, self.descriptor(digest))] + [(2, [(1, key), (2, value)])
                                                                     for key, value in labels.items()])
                    for name, (_, digest, labels) in self.records.items()]

        def descriptor(self, digest):
            return [(1, 'application/vnd.oci.image.manifest.v1+json'), (2, digest), (3, 400)]

        def Update(self, request):
            image = program.decode(request[1][0])
            name = image[1][0].decode()
            # The real one crashes without the descriptor.
            assert image[3][0] == program.encode(self.descriptor(self.records[name][1]))
            entries = dict(program.texts(program.decode(one), 1) + program.texts(program.decode(one), 2)
                           for one in image[2])
            for path in program.texts(program.decode(request[2][0]), 1):
                key = path[len('labels.'):]
                if key in entries:
                    self.records[name][2][key] = entries[key]
                else:
                    self.records[name][2].pop(key, None)

        def ListContainers(self, _):
            return [(1, [(1, 'id'), (4, [(1, reference)]), (5, reference)]) for reference in self.containers]

        def ListImages(self, _):
            images = {}
            for name, (identity, _, _) in self.records.items():
                images.setdefault(identity, []).append(name)
            return [(1, [(1, identity)] + [(3 if '@' in name else 2, name) for name in names] + [(4, 7)])
                    for identity, names in images.items()]

        def RemoveImage(self, request):
            identity = program.decode(request[1][0])[1][0].decode()
            self.removed.append(identity)
            self.records = {name: record for name, record in self.records.items() if record[0] != identity}

        def labels(self, name):
            return self.records[name][2]

    one = Containerd()
    monkeypatch.setattr(program, 'grpc', one.grpc)
    return one


def wanted(program, run, *references, source='newest', pulled=False):
    """Marks the references as wanted by this owner, and makes them its list."""
    run.images = []
    for reference in references:
        image = program.Image(reference, source)
        run.images.append(image)
        program.mark(run, image, pulled)


def by(program, run, owner, words, containerd):
    run.owner, run.words = owner, words
    run.records = {} if not containerd.records else program.list_records(run)
    return run


def digest(number):
    return f'sha256:{number:064x}'


def app(number, tag=None):
    return f'{HOST}/app:{tag}' if tag else f'{HOST}/app@{digest(number)}'


NEWEST = [f'{HOST}/app?newest=1']


@pytest.fixture
def pulled_one(program, run, containerd):
    """v1, pulled by this program for owner a's newest word."""
    run.records = {}
    run.owner, run.words = 'a', NEWEST
    containerd.image('id1', app(1), app(1, 'v1'))
    wanted(program, run, app(1, 'v1'), pulled=True)
    return containerd


def test_tag_and_digest_are_pinned_and_the_pull_is_remembered(pulled_one):
    assert pulled_one.labels(app(1, 'v1')) == {A: 'newest+pinned', PIN: 'pinned'}
    assert pulled_one.labels(app(1)) == {A: 'newest+pinned', PIN: 'pinned', PULLED: 'true'}


def test_what_was_there_before_is_pinned_but_not_called_pulled(program, run, containerd):
    containerd.image('id1', app(1), app(1, 'v1'))
    by(program, run, 'a', NEWEST, containerd)
    wanted(program, run, app(1, 'v1'), pulled=False)
    # A second tag of it is pulled.
    containerd.image('id1', app(1, 'latest'), digest=digest(1))
    wanted(program, run, app(1, 'v1'), app(1, 'latest'), pulled=True)
    assert PULLED not in containerd.labels(app(1))
    assert containerd.labels(app(1))[PIN] == 'pinned'


def test_what_was_loaded_without_a_registry_is_pinned_but_not_called_pulled(program, run, containerd):
    containerd.image('id1', app(1, 'v1'), digest=digest(1))
    by(program, run, 'a', NEWEST, containerd)
    # The pull that proves it adds the name by digest.
    containerd.image('id1', app(1))
    wanted(program, run, app(1, 'v1'), pulled=True)
    assert containerd.labels(app(1)) == {A: 'newest+pinned', PIN: 'pinned'}


def test_without_pins_the_ownership_stays_known(program, run, pulled_one):
    run.pin = False
    by(program, run, 'a', NEWEST, pulled_one)
    wanted(program, run, app(1, 'v1'))
    assert pulled_one.labels(app(1)) == {A: 'newest', PULLED: 'true'}


def test_what_fell_out_of_the_newest_is_unpinned_and_removed(program, run, pulled_one, capsys):
    by(program, run, 'a', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == ['id1']
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line['outcome'], line['image'], line['digest']) for line in lines] == [
        ('unpinned', app(1, 'v1'), digest(1)), ('removed', app(1, 'v1'), digest(1))]


def test_what_is_wanted_stays(program, run, pulled_one):
    by(program, run, 'a', NEWEST, pulled_one)
    wanted(program, run, app(1, 'v1'))
    program.release(run)
    assert pulled_one.labels(app(1))[A] == 'newest+pinned'
    assert pulled_one.removed == []


@pytest.mark.parametrize('words', [NEWEST, []])
def test_an_image_a_container_uses_stays_until_it_no_longer_does(program, run, pulled_one, words):
    by(program, run, 'a', words, pulled_one)
    run.images = []
    for reference in ('id1', app(1, 'v1'), app(1)):
        pulled_one.containers = [reference]
        program.release(run)
        assert pulled_one.removed == []
    assert PIN not in pulled_one.labels(app(1))
    pulled_one.containers = []
    program.release(run)
    assert pulled_one.removed == ['id1']


def test_an_image_it_did_not_pull_is_never_removed(program, run, containerd):
    containerd.image('id1', app(1), app(1, 'v1'))
    by(program, run, 'a', NEWEST, containerd)
    wanted(program, run, app(1, 'v1'), pulled=False)
    run.images = []
    program.release(run)
    assert containerd.removed == []
    assert containerd.labels(app(1)) == containerd.labels(app(1, 'v1')) == {}


def test_a_fixed_image_is_unpinned_but_not_removed(program, run, containerd):
    containerd.image('id1', app(1), app(1, 'v1'))
    run.owner, run.words, run.records = 'a', [app(1, 'v1')], {}
    wanted(program, run, app(1, 'v1'), source='fixed', pulled=True)
    run.words, run.images = [], []
    program.release(run)
    assert containerd.removed == []
    assert containerd.labels(app(1)) == {PULLED: 'true'}


def test_an_unlisted_repository_is_left_alone(program, run, pulled_one):
    by(program, run, 'a', NEWEST, pulled_one)
    run.images, run.unlisted = [], {f'{HOST}/app'}
    program.release(run)
    assert pulled_one.removed == []
    assert pulled_one.labels(app(1))[PIN] == 'pinned'
    run.unlisted = set()
    pulled_one.containers = ['id1']
    program.release(run)
    run.unlisted, pulled_one.containers = {f'{HOST}/app'}, []
    program.release(run)
    assert pulled_one.removed == []


def test_one_owner_neither_unpins_nor_removes_what_another_wants(program, run, pulled_one):
    by(program, run, 'b', NEWEST, pulled_one)
    wanted(program, run, app(1, 'v1'))
    by(program, run, 'a', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == []
    assert pulled_one.labels(app(1)) == {A: 'released', B: 'newest+pinned', PIN: 'pinned', PULLED: 'true'}
    # The last one to let go removes it.
    by(program, run, 'b', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == ['id1']


def test_an_owner_without_any_share_touches_nothing(program, run, pulled_one):
    by(program, run, 'b', NEWEST, pulled_one)
    run.images = []
    before = json.dumps(pulled_one.records)
    program.release(run)
    assert json.dumps(pulled_one.records) == before


def test_an_owner_without_pins_keeps_its_image_too(program, run, pulled_one):
    run.pin = False
    by(program, run, 'b', NEWEST, pulled_one)
    wanted(program, run, app(1, 'v1'))
    by(program, run, 'a', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == []


def test_an_owner_does_not_remove_what_only_another_has_released(program, run, pulled_one):
    by(program, run, 'a', NEWEST, pulled_one)
    run.images, pulled_one.containers = [], ['id1']
    program.release(run)
    by(program, run, 'b', NEWEST, pulled_one)
    run.images, pulled_one.containers = [], []
    program.release(run)
    assert pulled_one.removed == []


def test_what_is_wanted_is_not_removed_even_if_it_could_not_be_marked(program, run, pulled_one):
    by(program, run, 'a', NEWEST, pulled_one)
    for name in pulled_one.records:
        pulled_one.records[name][2] = {A: 'released', PULLED: 'true'}
    run.images = [program.Image(app(1, 'v1'), 'newest')]
    program.release(run)
    assert pulled_one.removed == []


def test_a_pin_of_somebody_else_stays(program, run, containerd):
    containerd.image('id1', app(1), app(1, 'v1'))
    for name in containerd.records:
        containerd.labels(name)[PIN] = 'pinned'
    by(program, run, 'a', NEWEST, containerd)
    wanted(program, run, app(1, 'v1'), pulled=False)
    run.images = []
    program.release(run)
    assert containerd.labels(app(1)) == {PIN: 'pinned'}
    assert containerd.removed == []


def test_a_tag_that_moved_releases_the_old_image(program, run, pulled_one, capsys):
    by(program, run, 'a', NEWEST, pulled_one)
    pulled_one.image('id2', app(2))
    pulled_one.records[app(1, 'v1')][:2] = ['id2', digest(2)]
    wanted(program, run, app(1, 'v1'), pulled=True)
    program.release(run)
    assert pulled_one.removed == ['id1']
    assert pulled_one.labels(app(2)) == {A: 'newest+pinned', PIN: 'pinned', PULLED: 'true'}
    assert pulled_one.labels(app(1, 'v1'))[PIN] == 'pinned'


def test_an_image_with_a_name_of_somebody_else_is_not_removed(program, run, pulled_one):
    pulled_one.image('id1', f'{HOST}/other@{digest(1)}')
    by(program, run, 'a', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == []


def test_an_image_that_is_a_fixed_one_elsewhere_is_not_removed(program, run, pulled_one):
    other = f'{HOST}/other@{digest(1)}'
    pulled_one.image('id1', other)
    pulled_one.records[other][2] = {PULLED: 'true'}
    by(program, run, 'a', NEWEST, pulled_one)
    run.images = []
    program.release(run)
    assert pulled_one.removed == []


def test_labels_that_are_right_cost_no_call(program, run, pulled_one, monkeypatch):
    by(program, run, 'a', NEWEST, pulled_one)
    monkeypatch.setattr(program, 'grpc', None)
    wanted(program, run, app(1, 'v1'), pulled=False)
