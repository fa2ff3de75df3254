"""What the places that carry the program ask of its text."""
import ast
import subprocess
import sys

from conftest import PROGRAM

SOURCE = PROGRAM.read_text(encoding='utf-8')


def test_holds_nothing_that_systems_manager_takes_for_a_parameter():
    assert '{{' not in SOURCE
    assert '}}' not in SOURCE


def test_holds_no_line_that_would_end_the_here_document_it_travels_in():
    assert not {'PROGRAM', 'SETTINGS'} & set(SOURCE.splitlines())


def test_is_python_3_9():
    ast.parse(SOURCE, feature_version=(3, 9))


def test_needs_the_standard_library_only():
    script = 'import sys; before = set(sys.modules); exec(compile(sys.stdin.read(), "p", "exec"), dict(__name__="p"))\n' \
             'print(*{one.partition(".")[0] for one in set(sys.modules) - before} - set(sys.stdlib_module_names))'
    ended = subprocess.run([sys.executable, '-I', '-S', '-c', script], input=SOURCE, text=True,
                           capture_output=True)
    assert (ended.stdout.strip(), ended.stderr) == ('', '')


def test_never_uses_a_shell():
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.keyword):
            assert node.arg != 'shell'
        if isinstance(node, ast.Attribute):
            assert node.attr not in ('system', 'popen', 'getoutput')
