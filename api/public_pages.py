"""What public pages have in common: templates, one style, headers that keep secrets in, and forms without scripts."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import media
from api.refusals import Refusal
from api.requests import body_of, headers_of
from domain.words import SOURCE, reads_from_the_right

TEMPLATES = Path(__file__).parent.parent / "templates" / "pages"
FORM = "application/x-www-form-urlencoded"
LARGEST_FORM, MOST_FIELDS = 64 * 1024, 100


def page(
    template: str,
    status: int = 200,
    *,
    sheet: str = "",
    colors: str = "",
    pictures: bool = False,
    headers: Mapping[str, str] | None = None,
    **facts: Any,
) -> Response:
    """Return the page `templates/pages/TEMPLATE.html`, which escapes its facts.

    `sheet` names a style of its own beside that of all pages; `colors` is CSS that is nobody's words. With
    `pictures`, it may show those of this server.
    """
    styles = _style(sheet), Markup(colors)  # noqa: S704
    facts = {"style": styles[0], "colors": styles[1], "sheet": sheet, "faults": {}, "language": SOURCE} | facts
    facts["direction"] = "rtl" if reads_from_the_right(str(facts["language"])) else "ltr"
    content = _templates().get_template(f"{template}.html").render(facts)
    return HTMLResponse(
        content, status, headers=_headers(*filter(None, styles), pictures=pictures) | dict(headers or {})
    )


async def form_of(request: Request, *, most: int = MOST_FIELDS) -> dict[str, str]:
    """Return the fields of a sent form; raises Refusal for what is none."""
    kind, _ = media.parsed(request.headers.get("content-type", ""))
    if kind != FORM:
        raise Refusal(415, f"Send the form as {FORM}.")
    body = await body_of(headers_of(request.scope), request.receive, most=LARGEST_FORM)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError as error:
        raise Refusal(400, "The form is not readable.") from error
    return dict(pairs)


@lru_cache(maxsize=1024)
def _headers(*styles: str, pictures: bool) -> dict[str, str]:
    digests = (b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles)
    told = " ".join(f"'sha256-{digest}'" for digest in digests)
    seen = "img-src 'self'; " if pictures else ""
    policy = f"default-src 'none'; style-src {told}; {seen}form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


@lru_cache
def _style(sheet: str = "") -> Markup:
    names = ("style.css", f"{sheet}.css") if sheet else ("style.css",)
    return Markup("".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names))  # noqa: S704


@lru_cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
