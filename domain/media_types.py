"""What a file is by its first bytes, whatever its sender calls it."""

import codecs
import re

import filetype

UNKNOWN = "application/octet-stream"
OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN = "application/vnd.oasis.opendocument."
# What these first bytes say no more of: many kinds of documents are such an archive.
CONTAINERS = {
    b"PK\x03\x04": frozenset(
        {
            f"{OFFICE}{kind}"
            for kind in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")
        }
        | {f"{OPEN}{kind}" for kind in ("text", "spreadsheet", "presentation", "graphics")}
        | {"application/epub+zip", "application/zip"}
    ),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": frozenset(
        {
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.ms-outlook",
        }
    ),
}
# A text is any of these where its sender says so.
TEXTS = frozenset(
    {
        "application/json",
        "message/rfc822",
        "text/calendar",
        "text/csv",
        "text/markdown",
        "text/plain",
        "text/tab-separated-values",
        "text/vcard",
    }
)
WRITTEN_AS_TEXT = frozenset({"application/pdf", "application/rtf", "application/postscript"})
# What browsers run, or draw with what it loads from elsewhere.
ACTIVE = frozenset({"application/x-shockwave-flash", "application/xml", "image/svg+xml", "text/html"})
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
HTML = re.compile(
    rb"<(!doctype html|html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|img|!--)[\s/>]",
    re.IGNORECASE,
)
SVG = re.compile(rb"<(\w+:)?svg[\s/>]", re.IGNORECASE)


def found(head: bytes, *, declared: str) -> str:
    """Return the media type of a file that begins with these bytes.

    What its sender has declared is believed only between types that begin alike, such as two kinds of text.
    """
    declared = declared.partition(";")[0].strip().lower()
    kind = filetype.guess(head)
    known = kind.mime if kind is not None else None
    if _is_text(head):
        return known if known in WRITTEN_AS_TEXT else _text(head, declared)
    for signature, types in CONTAINERS.items():
        if head.startswith(signature) and known in (None, "application/zip") and declared in types:
            return declared
    return known or UNKNOWN


def served_as(content_type: str) -> str:
    """Return the type that a file is given out as: nothing that a browser would run."""
    return UNKNOWN if content_type in ACTIVE else content_type


def _is_text(head: bytes) -> bool:
    """Say whether bytes are text, as the MIME Sniffing Standard says it (section 7.2)."""
    return head.startswith(MARKS) or (bool(head) and NO_TEXT.search(head) is None)


def _text(head: bytes, declared: str) -> str:
    plain = _unmarked(head)
    if SVG.search(plain) and plain.startswith(b"<"):
        return "image/svg+xml"
    if HTML.match(plain) or declared in ("text/html", "application/xhtml+xml"):
        return "text/html"
    if plain.startswith(b"<?xml"):
        return "application/xml"
    return declared if declared in TEXTS else "text/plain"


def _unmarked(head: bytes) -> bytes:
    """Return a text without its byte order mark and leading space, in a form in which ASCII is ASCII."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            head = head.decode(encoding, "replace").encode("utf-8", "replace")
    return head.removeprefix(codecs.BOM_UTF8).lstrip()
