"""Asks the node program which pushed images it wants: JSON lines {"words": […], "references": […]} -> [true, false, …]."""
import importlib.util
import json
import sys

spec = importlib.util.spec_from_file_location('image_prefetcher', sys.argv[1])
program = importlib.util.module_from_spec(spec)
sys.modules['image_prefetcher'] = program
# No compiled copy beside the program.
sys.dont_write_bytecode = True
spec.loader.exec_module(program)

for line in sys.stdin:
    question = json.loads(line)
    words = [program.parse_word(word) for word in question['words']]
    print(json.dumps([bool(program.arrivals(words, reference)) for reference in question['references']]))
