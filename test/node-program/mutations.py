"""Shows that the tests can fail: puts one old fault after the other back into the node program; a test must go red each time.

Prints a table. Ends with 1 when a mutation no longer applies, no longer compiles, or leaves its test green.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

TESTS = pathlib.Path(__file__).resolve().parent
PROGRAM = TESTS.parents[1] / 'assets' / 'image_prefetcher.py'


class Mutation(NamedTuple):
    point: str
    words: str
    old: str
    new: str
    test: str


MUTATIONS = [
    Mutation('1 a pod becomes root', 'a process called kubelet counts in whatever namespaces it is',
             "if os.readlink(f'/proc/{pid}/ns/{kind}') != os.readlink(f'/proc/self/ns/{kind}'):", 'if False:',
             'test_trust.py::test_a_process_counts_only_as_roots_in_our_own_namespaces'),
    Mutation('1 a pod becomes root', 'what others than root can write is believed',
             'if state.st_uid != 0 or state.st_mode & others:', 'if False:',
             'test_trust.py::test_what_others_can_write_or_is_no_file_is_not_read_and_never_waited_for'),
    Mutation('2 strict decoding', 'arguments of processes must be UTF-8',
             "return opened.read(1 << 20).decode(errors='replace').split", 'return opened.read(1 << 20).decode().split',
             'test_trust.py::test_bytes_beyond_utf_8_in_any_process_end_nothing'),
    Mutation('3 as the kubelet does', 'a credential configuration without providers ends the run',
             'for one in providers if isinstance(providers, list) else []:', 'for one in providers:',
             'test_trust.py::test_a_config_of_another_kind_is_done_without_and_said'),
    Mutation('4 answers that are nonsense', 'whatever ECR answers is taken for details',
             'except (TypeError, ValueError, LookupError, AttributeError, OverflowError):', 'except ArithmeticError:',
             'test_trust.py::test_ecr_that_answers_nonsense_fails_that_repository_only'),
    Mutation('5 removes what is not ours', 'names without our mark do not keep an image',
             'if record is None or set(record.marks()) != {RELEASED} or PIN in record.labels:',
             'if record is None or PIN in record.labels:',
             'test_clean_up.py::test_a_name_made_by_ctr_images_tag_keeps_the_image'),
    Mutation('6 a roll-back is undone', 'a literally named tag counts by the time of its first push',
             'literal = [tag for tag in one.tags if tag in selection.include]', 'literal: list[str] = []',
             'test_clean_up.py::test_a_roll_back_to_an_older_image_stays'),
    Mutation('6 a roll-back is undone', 'an image goes in the run that finds it unwanted',
             '                    continue\n                if PIN in record.labels',
             '                    continue\n                earlier.append(record)\n                if PIN in record.labels',
             'test_clean_up.py::test_what_fell_out_is_let_go_of_first_and_removed_by_a_later_run'),
    Mutation('7 a refused newest', 'what could not be brought keeps nothing',
             "if outcome in ('failed', 'refused', 'skipped') and not image.gone:", 'if False:',
             'test_clean_up.py::test_what_could_not_be_brought_keeps_what_the_node_has'),
    Mutation('8 images this node cannot run', 'nobody looks at the architecture',
             "wrong = why_foreign(config) if found != before else ''", "wrong = ''",
             'test_clean_up.py::test_an_image_of_another_architecture_is_skipped_and_never_replaces_ours'),
    Mutation('9 several spellings', 'a name is taken as it is spelled',
             'Reference(*canonical(match[1], match[2]),', 'Reference(match[1], match[2],',
             'test_clean_up.py::test_one_image_by_another_spelling_is_pinned_under_the_name_the_node_has'),
    Mutation('10 a stopped pull leaves its bytes', 'containerd is looked at once',
             'if not left or STOPPED.wait(0.5):', 'if True:',
             'test_waiting.py::test_a_stopped_pull_is_waited_for_until_containerd_lets_go'),
    Mutation('10 a stopped pull leaves its bytes', 'children outlive the program',
             'LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)', 'pass',
             'test_waiting.py::test_what_ends_the_program_ends_what_it_runs'),
    Mutation('11 known images wait for unknown ones', 'every earlier answer is waited for',
             'if waited_for and time.monotonic() < self.patience:', 'if waited_for:',
             'test_waiting.py::test_a_hanging_repository_holds_up_no_other'),
    Mutation('11 known images wait for unknown ones', 'an answer may come byte by byte for ever',
             'while until.seconds_left() and not ended.wait(min(0.1, until.seconds_left())):', 'while not ended.wait(0.1):',
             'test_http.py::test_an_answer_byte_by_byte_ends_in_time'),
    Mutation('12 errors judged the other way round', 'what is not known to pass is lasting',
             'or not LASTING.search(words) and code not in LASTING_CODES)', 'or False)',
             'test_waiting.py::test_what_passes_by_itself_or_is_not_known_is_tried_again'),
    Mutation('13 cost', 'a hundred details a page', 'maxResults=1000', 'maxResults=100',
             'test_cost.py::test_a_listing_is_read_in_pages_of_a_thousand'),
    Mutation('13 cost', 'each further tag is a pull',
             'if known and not image.needs_pull and self.add_names(image):', 'if False:',
             'test_cost.py::test_many_tags_of_one_image_are_one_pull'),
    Mutation('13 cost', 'further tags are written and looked at one by one',
             "if one.state == 'ready' and not one.needs_pull\n", "if one.state == 'none' and not one.needs_pull\n",
             'test_cost.py::test_many_tags_of_one_image_are_written_one_call_each_and_looked_at_together'),
    Mutation('13 cost', 'each question makes a connection', 'kept = idle.pop() if idle else None', 'kept = None',
             'test_http.py::test_one_connection_does_for_many_questions'),
    Mutation('14 the disk estimate', 'three times an image must fit, whatever the node has of it',
             'if room < 0 or not known and', 'if room < 0 or image.size * 3 > room or not known and',
             'test_cost.py::test_what_the_node_has_does_not_count_against_the_room'),
    Mutation('15 warm pools', 'the kubelet is waited for in a warm pool, too',
             "startswith('Warmed:')", "startswith('Never:')",
             'test_waiting.py::test_an_instance_in_a_warm_pool_needs_no_kubelet'),
    Mutation('16 pins under pressure', 'no pin gives way',
             '        if self.pressed:\n            self.relieve()\n', '',
             'test_cost.py::test_pins_give_way_from_the_end_of_the_list_and_come_back'),
    Mutation('17 how much was left unsaid', 'the summary does not count it', 'if self.unsaid:', 'if False:',
             'test_report.py::test_many_failures_leave_a_count_of_what_was_not_said'),
]


def run(program, tests):
    """pytest's exit code: 0 all green, 1 something red; and how many it skipped."""
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', '-rs', *[str(TESTS / one) for one in tests]]
    ended = subprocess.run(command, env=dict(os.environ, NODE_PROGRAM=str(program), PYTHONDONTWRITEBYTECODE='1'),
                           capture_output=True, text=True)
    return ended.returncode, 'SKIPPED' in ended.stdout


def outcome(mutation, source, program):
    if source.count(mutation.old) != 1:
        return f'does not apply: {source.count(mutation.old)} places'
    mutated = source.replace(mutation.old, mutation.new)
    try:
        compile(mutated, str(program), 'exec')
    except SyntaxError as error:
        return f'does not compile: {error}'
    program.write_text(mutated, encoding='utf-8')
    code, skipped = run(program, [mutation.test])
    return 'red' if code == 1 else 'skipped' if skipped else 'GREEN' if code == 0 else f'pytest ended with {code}'


def main():
    source, wrong = PROGRAM.read_text(encoding='utf-8'), 0
    if run(PROGRAM, sorted({one.test for one in MUTATIONS}))[0] != 0:
        sys.exit('a test is red without any mutation')
    print('| point | mutation | test | |\n| --- | --- | --- | --- |', flush=True)
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / PROGRAM.name
        for mutation in MUTATIONS:
            said = outcome(mutation, source, program)
            wrong += said != 'red'
            print(f'| {mutation.point} | {mutation.words} | {mutation.test} | {said} |', flush=True)
    sys.exit(f'{wrong} mutations did not turn their test red' if wrong else 0)


if __name__ == '__main__':
    main()
