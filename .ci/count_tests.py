"""Adds up the JUnit reports in a folder, and prints `N passed, N failed`; a failed step of CI counts as a failure too."""
import glob
import sys
import xml.etree.ElementTree as ElementTree

folder, failed_steps = sys.argv[1:]
passed = failed = skipped = 0
for file in sorted(glob.glob(folder + '/*.xml')):
    root = ElementTree.parse(file).getroot()
    for suite in [root] if root.tag == 'testsuite' else root.findall('testsuite'):
        count = {name: int(float(suite.get(name) or 0)) for name in ('tests', 'failures', 'errors', 'skipped')}
        failed += count['failures'] + count['errors']
        skipped += count['skipped']
        passed += count['tests'] - count['failures'] - count['errors'] - count['skipped']
print(f'{passed} passed, {max(failed, int(failed_steps))} failed, {skipped} skipped' if skipped else f'{passed} passed, {max(failed, int(failed_steps))} failed')
