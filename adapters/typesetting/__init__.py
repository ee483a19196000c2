"""Documents typeset by typst, in child processes that a template can neither hang, nor leave, nor fill.

What a template shows is passed as data, `sys.inputs.facts` being JSON and `sys.inputs.logo` a picture, so nothing in
it is taken for markup. The same template, facts, picture and time give the same bytes, on any machine.
"""

import asyncio
import json
import re
import signal
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from adapters.typesetting import glyphs
from adapters.typesetting.child import FAULT, LENGTH
from settings import settings

CHILD = Path(__file__).with_name("child.py")
MOST_BYTES = 50_000_000
# A child computes for the seconds that are set; on a busy machine that takes longer.
BUSY_FACTOR, SHORTEST_WAIT = 5, 30
DOCUMENTS_A_CHILD, IDLE_SECONDS = 200, 60.0
# Threads would multiply the memory that a child may hold. Of our environment, with its secrets, it gets nothing.
ENVIRONMENT = {"RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
PAGES = re.compile(rb"/Type\s*/Pages\s*/Count (\d+)")
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
    '<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/></svg>'
)

log = structlog.get_logger(__name__)


class TemplateFailed(Exception):
    """A template makes no document of these facts: what typst says of it, and where."""

    def __init__(
        self, message: str, line: int | None = None, column: int | None = None, hints: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hints = tuple(hints)


class TypesettingUnavailable(Exception):
    """No document can be typeset just now, for a reason that is not the template's."""


@dataclass(frozen=True, slots=True)
class Typeset:
    """A document; `missing` are the characters that no font has, written as their numbers."""

    pdf: bytes
    pages: int
    missing: tuple[str, ...]


class Typesetter:
    """Children of this process that typeset one document each at a time, started when they are needed."""

    def __init__(self, *, most: int | None = None) -> None:
        self._free = asyncio.Semaphore(most or settings().typesetters)
        self._idle: list[Child] = []

    async def typeset(
        self, template: str, facts: Mapping[str, Any], *, logo: bytes | None = None, at: datetime
    ) -> Typeset:
        """Return a document as PDF, dated `at`; the logo is a PNG. Raises TemplateFailed, TypesettingUnavailable."""
        unknown: set[str] = set()
        inputs = {"facts": json.dumps(glyphs.legible(facts, unknown)), "logo": _picture(logo) if logo else ""}
        request = {"template": template, "inputs": inputs, "at": int(at.timestamp())}
        async with self._free:
            pdf = await self._answered(json.dumps(request).encode())
        return Typeset(pdf, _pages(pdf), tuple(sorted(unknown)))

    async def close(self) -> None:
        """End the children that wait for work."""
        while self._idle:
            await self._idle.pop().end()

    async def _answered(self, request: bytes) -> bytes:
        child = self._waiting() or await Child.start()
        try:
            answer = await child.ask(request)
        except BaseException:
            await asyncio.shield(child.end())
            raise
        if child.asked >= DOCUMENTS_A_CHILD:
            await child.end()
        else:
            self._idle.append(child)
            asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire, child, child.asked)
        if isinstance(answer, TemplateFailed):
            raise answer
        return answer

    def _waiting(self) -> "Child | None":
        """Return a child that waits for work, and none that somebody has killed meanwhile."""
        while self._idle:
            child = self._idle.pop()
            if child.lives:
                return child
        return None

    def _retire(self, child: "Child", asked: int) -> None:
        if child in self._idle and child.asked == asked:
            self._idle.remove(child)
            child.let_go()


class Child:
    """A process that typesets, and how many documents it was asked for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.asked = 0

    @classmethod
    async def start(cls) -> "Child":
        chosen = settings()
        limits = [chosen.typesetter_memory, chosen.typesetting_seconds, MOST_BYTES]
        command = [sys.executable, "-I", str(CHILD), str(glyphs.FONTS), *map(str, limits)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise TypesettingUnavailable(f"No typesetter could be started: {error}") from error
        return cls(process)

    @property
    def lives(self) -> bool:
        """Whether nothing is known of its end."""
        return self._process.returncode is None

    async def ask(self, request: bytes) -> "bytes | TemplateFailed":
        """Return a document, or what is wrong with its template."""
        self.asked += 1
        seconds = max(settings().typesetting_seconds * BUSY_FACTOR, SHORTEST_WAIT)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except TimeoutError as error:
            raise TypesettingUnavailable("The typesetter did not answer in time.") from error
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError) as error:
            raise await self._death() from error

    async def end(self) -> None:
        """Kill the process, and see that it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def let_go(self) -> None:
        """Have the process end by itself."""
        assert self._process.stdin
        self._process.stdin.close()

    async def _exchange(self, request: bytes) -> "bytes | TemplateFailed":
        writer, reader = self._process.stdin, self._process.stdout
        assert writer and reader
        writer.write(LENGTH.pack(len(request)) + request)
        await writer.drain()
        head = await reader.readexactly(LENGTH.size + 1)
        payload = await reader.readexactly(*LENGTH.unpack(head[:-1]))
        return TemplateFailed(**json.loads(payload)) if head[-1:] == FAULT else payload

    async def _death(self) -> Exception:
        status = await self._process.wait()
        log.warning("a typesetter died", status=status, asked=self.asked)
        match -status:
            case signal.SIGXCPU:
                return TemplateFailed(f"it computes for more than {settings().typesetting_seconds} seconds")
            case signal.SIGABRT | signal.SIGSEGV:
                megabytes = settings().typesetter_memory // 1_000_000
                return TemplateFailed(f"it needs more than {megabytes} MB of memory, or nests too deep")
            case _:
                return TypesettingUnavailable(f"The typesetter ended with status {status}.")


def missing(text: str) -> list[str]:
    """Return the characters of a text that no font has."""
    found: set[str] = set()
    glyphs.legible(text, found)
    return sorted(found)


def _pages(pdf: bytes) -> int:
    """Return how many pages a document has, as the first object of typst's says."""
    found = PAGES.search(pdf)
    return int(found[1]) if found else 0


def _picture(png: bytes) -> str:
    """Return a PNG as an SVG, which is text as `sys.inputs` wants it."""
    width, height = (int.from_bytes(png[place : place + 4], "big") for place in (16, 20))
    return PICTURE.format(width=width, height=height, data=b64encode(png).decode())
