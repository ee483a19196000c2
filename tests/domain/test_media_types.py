"""A file is what its first bytes say, whatever its sender calls it."""

import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain.media_types import ACTIVE, CONTAINERS, OFFICE, OPEN, TEXTS, UNKNOWN, found, served_as

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(kind: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, kind)
    return out.getvalue()


def archive(*names: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "application/vnd.oasis.opendocument.text" if name == "mimetype" else "<x/>")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n1 0 obj", "application/pdf"),
        (b"{\\rtf1\\ansi hello}", "application/rtf"),
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("GIF"), "image/gif"),
        (picture("WEBP"), "image/webp"),
        (archive("a.txt"), "application/zip"),
        (archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"), f"{OFFICE}wordprocessingml.document"),
        (archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), f"{OFFICE}spreadsheetml.sheet"),
        (archive("mimetype", "content.xml"), f"{OPEN}text"),
        (b"MZ" + b"\x90\x00" * 200, "application/x-msdownload"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "text/html"),
        (b"\xef\xbb\xbf \n<ScRiPt>alert(1)</script>", "text/html"),
        ("<html><body>".encode("utf-16"), "text/html"),
        (SVG, "image/svg+xml"),
        (b"<svg/>", "image/svg+xml"),
        (b"<?xml version='1.0'?><a/>", "application/xml"),
        (b"Hello", "text/plain"),
        ("Größe".encode("latin-1"), "text/plain"),
        (b"\x00\x01\x02", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_bytes_tell_what_they_are_and_no_declaration_changes_it(content: bytes, kind: str) -> None:
    for declared in ("", UNKNOWN, "image/png", "application/x-sh", "nonsense"):
        assert found(content, declared=declared) == kind


def test_between_kinds_that_begin_alike_the_declaration_decides() -> None:
    assert found(b"a,b\n1,2\n", declared="text/csv; charset=utf-8") == "text/csv"
    assert found(b"BM;price\n", declared="text/csv") == "text/csv"
    assert found(b'{"a": 1}', declared="Application/JSON") == "application/json"
    assert found(b"hello", declared="text/html") == "text/html"
    assert found(archive("a.txt"), declared=f"{OPEN}graphics") == f"{OPEN}graphics"
    assert found(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, declared="application/vnd.ms-excel").endswith(
        "excel"
    )
    assert found(picture("PNG"), declared="text/csv") == "image/png"
    assert found(archive("a.txt"), declared="image/png") == "application/zip"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xml"])
def test_what_a_browser_would_run_is_given_out_as_mere_bytes(kind: str) -> None:
    assert served_as(kind) == UNKNOWN


def test_the_rest_is_given_out_as_what_it_is() -> None:
    for kind in ("application/pdf", "image/png", *(TEXTS - ACTIVE)):
        assert served_as(kind) == kind
    assert not ACTIVE & TEXTS
    assert not any(ACTIVE & types for types in CONTAINERS.values())


@given(st.binary(max_size=300), st.text(max_size=30))
def test_whatever_comes_is_of_some_kind(content: bytes, declared: str) -> None:
    for begin in (b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"RIFF", b"\x00\x00\x00\x18ftyp", b"%PDF"):
        kind = found(begin + content, declared=declared)
        assert "/" in kind
        assert served_as(kind) not in ACTIVE
