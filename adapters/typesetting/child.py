"""The process that typst runs in: it may compute for so long, hold so much memory, and open nothing.

It is run as a script and imports nothing of ours. Requests and answers are bytes with their length before them.
"""

import json
import os
import re
import resource
import struct
import sys
from time import process_time
from typing import Any

import typst

LENGTH = struct.Struct(">I")
PDF, FAULT = b"P", b"F"
PLACE = re.compile(r"__typst_py_bytes__\.typ:(\d+):(\d+)")
# What typst says of these names paths of this machine.
REFUSED = {
    ("file not found", "failed to load file", "access denied", "path `"): "a template reads no files",
    ("failed to download package", "package not found"): "a template loads no packages",
}
# A character of every font, by which it is loaded: files that typst opens later would be refused.
SAMPLE = "A ع א ก あ 一 ✓"


def main(fonts: str, memory: int, seconds: int, most: int) -> None:
    """Answer requests until there are none: with documents of at most so many bytes, in so many seconds of CPU each."""
    os.nice(5)
    compiler = _opened(fonts)
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    while (request := _read()) is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(process_time()) + seconds + 1, hard))
        _write(*_answer(compiler, json.loads(request), most))


def _opened(fonts: str) -> typst.Compiler:
    """Return a compiler whose fonts are in memory."""
    found = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[fonts])
    compiler = typst.Compiler(b"", root=fonts, font_paths=found, package_path=fonts, package_cache_path=fonts)
    faces = sorted({(face.family, face.weight) for face in found.fonts()})
    lines = [f"#text(font: {json.dumps(family)}, weight: {weight})[{SAMPLE}]" for family, weight in faces]
    compiler.compile("\n\n".join(lines).encode(), format="pdf", timestamp=0)
    return compiler


def _answer(compiler: typst.Compiler, request: dict[str, Any], most: int) -> tuple[bytes, bytes]:
    try:
        pdf = compiler.compile(
            request["template"].encode(), format="pdf", sys_inputs=request["inputs"], timestamp=request["at"]
        )
    except typst.TypstError as error:
        return FAULT, _told(error)
    assert isinstance(pdf, bytes)
    if len(pdf) > most:
        return FAULT, json.dumps({"message": f"the document has {len(pdf)} bytes, more than {most}"}).encode()
    return PDF, pdf


def _told(error: typst.TypstError) -> bytes:
    refused = next((ours for theirs, ours in REFUSED.items() if error.message.startswith(theirs)), None)
    place = PLACE.search(error.diagnostic or "")
    line, column = map(int, place.groups()) if place else (None, None)
    hints = [] if refused else list(error.hints)
    return json.dumps({"message": refused or error.message, "line": line, "column": column, "hints": hints}).encode()


def _read() -> bytes | None:
    head = sys.stdin.buffer.read(LENGTH.size)
    return sys.stdin.buffer.read(*LENGTH.unpack(head)) if len(head) == LENGTH.size else None


def _write(kind: bytes, payload: bytes) -> None:
    sys.stdout.buffer.write(LENGTH.pack(len(payload)) + kind + payload)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
