"""Writes assets/image_prefetcher.packed, the node program as SSM documents carry it: Node has no compressor this good."""
import base64
import bz2
import pathlib

program = pathlib.Path(__file__).parents[1] / 'assets' / 'image_prefetcher.py'
program.with_suffix('.packed').write_text(base64.b85encode(bz2.compress(program.read_bytes())).decode())
