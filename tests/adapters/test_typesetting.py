"""Typesetting in child processes: the same bytes, and templates that cannot hang, read or lie."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from adapters.typesetting import TemplateFailed, Typesetter, TypesettingUnavailable, glyphs
from settings import settings

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHOW = "#let facts = json(bytes(sys.inputs.facts))\n#set document(date: none)\n#facts.text"


@pytest.fixture
async def typesetter() -> AsyncIterator[Typesetter]:
    one = Typesetter(most=2)
    yield one
    await one.close()


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


async def test_a_document_says_what_it_is_given(typesetter: Typesetter) -> None:
    typeset = await typesetter.typeset(SHOW, {"text": "Grüße, Ελλάδα, Київ"}, at=AT)
    assert text_of(typeset.pdf) == "Grüße, Ελλάδα, Київ"
    assert typeset.missing == ()


@pytest.mark.parametrize(
    "text", ["#panic()", "*bold* _it_ $x$", "<b>&amp;</b>", '"]) #read("/etc/passwd")', "\\u{41} @a"]
)
async def test_data_is_never_taken_for_markup(typesetter: Typesetter, text: str) -> None:
    typeset = await typesetter.typeset(SHOW, {"text": text}, at=AT)
    assert text_of(typeset.pdf) == text


async def test_the_same_bytes_come_from_any_process_warm_or_cold(typesetter: Typesetter) -> None:
    facts = {"text": "مرحبا 日本語 ✓ 𠮷"}
    mine = [(await typesetter.typeset(SHOW, facts, logo=logo(), at=AT)).pdf for _ in range(2)]
    assert mine[0] == mine[1]
    program = (
        "import asyncio, hashlib, json, sys\n"
        "from datetime import UTC, datetime\n"
        "from adapters.typesetting import Typesetter\n"
        "template, facts, logo = json.loads(sys.argv[1]), json.loads(sys.argv[2]), bytes.fromhex(sys.argv[3])\n"
        "made = Typesetter().typeset(template, facts, logo=logo, at=datetime(2026, 3, 2, 9, tzinfo=UTC))\n"
        "print(hashlib.sha256(asyncio.run(made).pdf).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, json.dumps(SHOW), json.dumps(facts), logo().hex()]
    told = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "Asia/Tokyo"}
    )
    assert told.stdout.strip() == hashlib.sha256(mine[0]).hexdigest()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('#read("/etc/passwd")', "a template reads no files"),
        ('#read("../../../../etc/passwd")', "a template reads no files"),
        ('#read("NotoSans-Regular.ttf", encoding: none)', "a template reads no files"),
        ('#image("/proc/self/environ")', "a template reads no files"),
        ('#include "other.typ"', "a template reads no files"),
        ('#import "@preview/cetz:0.2.0": *', "a template loads no packages"),
        ('#import "@local/ours:0.2.0": *', "a template loads no packages"),
        ("#let x =", "expected expression"),
        ("#nothing", "unknown variable: nothing"),
        ("#while true {}", "condition is always true"),
        ("#let f(x) = f(x + 1)\n\n#f(1)", "maximum function call depth exceeded"),
    ],
)
async def test_a_template_that_may_not_or_cannot_is_told_where(
    typesetter: Typesetter, template: str, message: str
) -> None:
    with pytest.raises(TemplateFailed) as caught:
        await typesetter.typeset(f"First\n{template}", {}, at=AT)
    assert caught.value.message == message
    assert caught.value.line == 2
    assert text_of((await typesetter.typeset(SHOW, {"text": "next"}, at=AT)).pdf) == "next"


async def test_pictures_within_pictures_are_no_way_to_files(typesetter: Typesetter, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "secret.png")
    picture = f'<image width="9" height="9" href="{tmp_path}/secret.png"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{picture}</svg>'
    show = "#image(bytes(json(bytes(sys.inputs.facts)).svg))"
    with pytest.raises(TemplateFailed, match="failed to load linked image"):
        await typesetter.typeset(show, {"svg": svg}, at=AT)


async def test_what_computes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings().__dict__, "typesetting_seconds", 1)
    one = Typesetter(most=1)
    with pytest.raises(TemplateFailed, match="computes for more than 1 seconds"):
        await one.typeset("#for i in range(100000) { for j in range(100000) { } }", {}, at=AT)
    assert text_of((await one.typeset(SHOW, {"text": "next"}, at=AT)).pdf) == "next"
    await one.close()


async def test_what_fills_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings().__dict__, "typesetter_memory", 268_435_456)
    one = Typesetter(most=1)
    with pytest.raises(TemplateFailed, match="needs more than 268 MB"):
        await one.typeset('#let s = "a"\n#for i in range(40) { s = s + s }', {}, at=AT)
    assert text_of((await one.typeset(SHOW, {"text": "next"}, at=AT)).pdf) == "next"
    await one.close()


async def test_a_child_that_was_killed_is_replaced(typesetter: Typesetter) -> None:
    await typesetter.typeset(SHOW, {"text": "first"}, at=AT)
    process = typesetter._idle[0]._process
    process.kill()
    await process.wait()
    assert text_of((await typesetter.typeset(SHOW, {"text": "second"}, at=AT)).pdf) == "second"


async def test_a_cancelled_document_leaves_no_child_behind(typesetter: Typesetter) -> None:
    await typesetter.typeset(SHOW, {"text": "first"}, at=AT)
    process = typesetter._idle[0]._process
    busy = asyncio.create_task(typesetter.typeset("#for i in range(100000) { for j in range(100000) { } }", {}, at=AT))
    while typesetter._idle:
        await asyncio.sleep(0)
    busy.cancel()
    with pytest.raises(asyncio.CancelledError):
        await busy
    assert process.returncode is not None


async def test_no_more_children_than_allowed_work_at_once(typesetter: Typesetter) -> None:
    made = await asyncio.gather(*(typesetter.typeset(SHOW, {"text": str(n)}, at=AT) for n in range(12)))
    assert [text_of(one.pdf) for one in made] == [str(n) for n in range(12)]
    assert len(typesetter._idle) <= 2


async def test_a_typesetter_that_cannot_start_is_no_fault_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TypesettingUnavailable):
        await Typesetter(most=1).typeset(SHOW, {"text": ""}, at=AT)


async def test_what_no_font_has_is_written_as_its_number(typesetter: Typesetter) -> None:
    typeset = await typesetter.typeset(SHOW, {"text": "a 𓀀 b \U0001f9ff", "unused": ["\U000e0041"]}, at=AT)
    assert text_of(typeset.pdf) == "a [U+13000] b [U+1F9FF]"
    assert typeset.missing == ("\U00013000", "\U0001f9ff", "\U000e0041")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("e\u0301t\u00e9", "e\u0301t\u00e9"),
        ("\u202eevil\u202c", "evil"),
        ("\u2714\ufe0f", "\u2714"),
        ("\U0001d400", "A"),
        ("a\u0000b\u0007", "a[U+0000]b[U+0007]"),
        ("\u05e9\u05dc\u05d5\u05dd \u200f(", "\u05e9\u05dc\u05d5\u05dd \u200f("),
    ],
)
def test_what_is_not_drawn_leaves_no_box(given: str, shown: str) -> None:
    missing: set[str] = set()
    assert glyphs.legible(given, missing) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox – “quoted” … € £ ¥ ₹ ₽ ₺ ₩ ₪ ﷼",
        "Zażółć gęślą jaźń ÀÉÎÕÜ ß ẞ Ł ő ș ț ğ İ ı",
        "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία",
        "Съешь же ещё этих мягких французских булок ґ є ї",
        "نص حكيم له سر قاطع وذو شأن عظيم پ چ ژ گ ٠١٢٣٤٥٦٧٨٩",
        "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
        "いろはにほへと 漢字 髙﨑 𠮟 株式会社",
        "天地玄黄宇宙洪荒 中华人民共和国 臺灣香港 嘅咗",
        "키스의 고유조건은 입술끼리 만나야 하고 뷁",
        "✓ ✔ ✗ ★ ☆ ☐ ☑ → ← • ◆ ● ™ © ½ ²",
        "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า Հայերեն ქართული",
    ],
)
def test_the_fonts_that_ship_cover_what_they_promise(text: str) -> None:
    missing: set[str] = set()
    assert glyphs.legible(text, missing) == text
    assert not missing


def test_what_is_told_of_the_fonts_is_what_they_have() -> None:
    found: set[int] = set()
    for path in sorted(glyphs.FONTS.glob("*.[ot]tf")):
        with TTFont(path, lazy=True) as font:
            found.update(font.getBestCmap())
    invisible = glyphs.UNDRAWN | glyphs.OVERRIDES | glyphs.VARIATIONS
    drawn = {char for char in map(chr, found) if unicodedata.category(char) != "Cc"} - invisible
    assert glyphs.covered() - invisible == drawn


def logo() -> bytes:
    out = BytesIO()
    Image.new("RGBA", (64, 32), (200, 30, 30, 128)).save(out, "PNG")
    return out.getvalue()
