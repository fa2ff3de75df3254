"""What a run prints, sends and keeps to itself."""
import json
import os

import pytest
from conftest import HOST, settings

APP = f'{HOST}/app'


def test_many_failures_leave_a_count_of_what_was_not_said(program, capfd):
    report = program.Report('reconcile', 'owner')
    for number in range(120):
        report.line(f'{HOST}/team/application-{number}:v1', 'failed', 'some long reason of a registry ' * 20)
    report.summary(wanted=120)
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    summary = lines[-1]['summary']
    assert len(out) <= 23_999 and summary['failed'] == 120
    assert summary['unsaid'] == 120 - (len(lines) - 1) and len(lines) > 60
    assert len(err) <= 510 and '120 problems' in err and 'application-0:v1 failed: some long reason' in err
    assert len(report.events) == 121  # the log group gets them all


def test_what_is_simply_there_gives_way_to_failures(program, capfd):
    report = program.Report('reconcile', 'owner')
    for number in range(300):
        report.line(f'{HOST}/present-{number}:v1', 'present', digest='sha256:' + 64 * 'a')
    for number in range(20):
        report.line(f'{HOST}/failed-{number}:v1', 'failed', 'reason')
    report.summary()
    out = capfd.readouterr().out
    assert all(f'failed-{number}:v1' in out for number in range(20)) and len(out) <= 23_999


def test_an_ordinary_run_says_nothing_on_stderr(program, capfd):
    report = program.Report('push', 'owner')
    report.line('a:1', 'pulled', bytes=5, seconds=1)
    report.summary(wanted=1)
    out, err = capfd.readouterr()
    summary = json.loads(out.splitlines()[-1])['summary']
    assert err == '' and 'unsaid' not in summary and (summary['pulled'], summary['bytes']) == (1, 5)


def test_secrets_are_scrubbed_wherever_they_come_from(program, capfd):
    report = program.Report('push', 'owner')
    report.add_secret('hunter2', '')
    report.line('a:1', 'failed', 'registry says: Authorization hunter2\n\x1b[31m caf\u00e9')
    report.summary(error='plugin printed hunter2')
    out, err = capfd.readouterr()
    assert 'hunter2' not in out + err and 'Authorization ***' in out and '\\u' not in out


def test_of_a_long_reason_both_ends_are_said(program, capfd):
    report = program.Report('push', 'owner')
    report.line('a:1', 'failed', 'failed to pull ' + 'https://layers.example/?X=' * 99 + ': 429 Too Many Requests')
    report.summary()
    out, err = capfd.readouterr()
    reason = json.loads(out.splitlines()[0])['reason']
    assert len(reason) <= 500 and reason.startswith('failed to pull https') and reason.endswith(': 429 Too Many Requests')
    assert len(err) <= 510 and err.endswith(': 429 Too Many Requests\n') and 'a:1 failed: failed to pull' in err


@pytest.fixture
def run(program, node, monkeypatch, capfd):
    """The program as a whole, with a log group that is a list."""
    sent = []

    def call(aws, service, endpoint, region, target, question, seconds=10, inner=program.Aws.call):
        if service != 'logs':
            return inner(aws, service, endpoint, region, target, question, seconds)
        sent.append((target.rpartition('.')[2], question))
        if run.failure:
            failure, run.failure = run.failure, None
            raise failure
        return {}

    def run(*images, arguments=(), **environment):
        monkeypatch.setattr(program, 'open', lambda *_, **__: open(fd(settings(*images)), 'rb')
                            if _[0] == 3 else open(*_, **__), raising=False)
        for name in [one for one in os.environ if one.startswith('SSM_')]:
            monkeypatch.delenv(name)
        for name, value in dict(environment, AWS_SSM_INSTANCE_ID='i-1').items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(program, 'lock', lambda deadline: 0)
        sent.clear()
        code = program.main(list(arguments))
        events = [json.loads(event['message']) for action, question in sent if action == 'PutLogEvents'
                  for event in question['logEvents']]
        return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()], events

    run.failure, run.sent = None, sent
    monkeypatch.setattr(program.Aws, 'call', call)
    monkeypatch.setattr(program.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(program.time, 'sleep', lambda seconds: None)
    return run


def fd(text):
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return read


def test_what_was_sent_is_not_called_unreported_where_nothing_can_be_written(program, node, run):
    os.mkdir(program.STATE + '/reported')
    node.push(APP, 'v1', 1)
    _, lines, events = run(f'{APP}?newest=1')
    assert [one.get('outcome') for one in events] == ['pulled', None] and 'unreported' not in str(lines)


def test_the_first_run_since_boot_sends_every_line_later_ones_only_changes(node, run):
    node.push(APP, 'v1', 1)
    code, lines, events = run(f'{APP}?newest=1', SSM_Revision='0123456789abcdef')
    assert code == 0 and [one.get('outcome') for one in events] == ['pulled', None]
    assert lines[-1] == events[-1]
    summary = events[-1]['summary']
    assert (summary['moment'], summary['instance'], summary['revision'], summary['wanted']) == (
        'reconcile', 'i-1', '0123456789abcdef', 1)
    assert 'stale' not in summary
    question = run.sent[-1][1]
    assert (question['logGroupName'], question['logStreamName']) == ('group', 'i-1')
    _, lines, events = run(f'{APP}?newest=1')
    assert [one.get('outcome') for one in lines] == ['present', None] and [list(one) for one in events] == [['summary']]
    node.push(APP, 'v2', 2)
    _, _, events = run(f'{APP}?newest=1')
    assert {one.get('outcome') for one in events} == {'pulled', 'unpinned', None}


def test_a_push_says_how_long_it_took_since_the_event(program, node, run):
    node.push(APP, 'v1', 1)
    at = program.time.strftime('%Y-%m-%dT%H:%M:%SZ', program.time.gmtime(program.time.time() - 60))
    _, lines, _ = run(f'{APP}?newest=1', SSM_Pushed=f'{APP}:v1', SSM_PushedAt=at)
    assert lines[0]['moment'] == 'push' and 60 <= lines[0]['pushToCachedSeconds'] < 70


def test_another_revision_is_said(run):
    assert run(SSM_Revision=16 * 'f')[1][-1]['summary']['stale'] is True


def test_a_log_stream_that_is_not_there_is_made(program, run):
    run.failure = program.Failure('PutLogEvents: ResourceNotFoundException: The specified log stream does not exist.')
    code, _, events = run()
    assert code == 0 and [action for action, _ in run.sent] == ['PutLogEvents', 'CreateLogStream', 'PutLogEvents']


def test_a_log_group_out_of_reach_fails_nothing(program, run):
    run.failure = program.Failure('cannot ask logs.us-east-1.amazonaws.com: timed out')
    code, lines, _ = run()
    assert code == 0 and 'timed out' in lines[-1]['unreported']


def test_a_gate_that_could_not_report_is_reported_by_the_next_run_once(program, node, run):
    with open(program.STATE + '/gate.json', 'w') as file:
        json.dump(dict(outcome='failed', error='cannot fetch the document', seconds=12.5), file)
    _, lines, events = run()
    assert events[0]['summary']['moment'] == 'gate' and events[0]['summary']['seconds'] == 12.5
    assert lines[0]['summary']['moment'] == 'reconcile'
    assert [one['summary']['moment'] for one in run()[2]] == ['reconcile']


def test_the_gate_reports_itself(program, node, run):
    node.push(APP, 'v1', 1)
    code, _, events = run(f'{APP}?newest=1', arguments=['gate', '60'])
    assert code == 0 and events[-1]['summary']['moment'] == 'gate' and not os.path.exists(program.STATE + '/gate.json')


def test_an_error_that_ends_the_run_is_in_the_summary_and_on_stderr(program, node, run, monkeypatch):
    monkeypatch.setattr(program, 'wait_for_node', lambda *_: (_ for _ in ()).throw(RuntimeError('no luck')))
    code, lines, _ = run(f'{APP}?newest=1')
    assert code == 1 and lines[-1]['summary']['error'] == 'no luck'
