"""Writes docs/settings.md and docs/errors.md from the code: `python -m docs.reference`."""

from pathlib import Path

from domain.errors import all_errors
from settings import Settings

HERE = Path(__file__).parent


def settings_page() -> str:
    """Return the page of all settings."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once when a process starts. Written by `make docs` from `settings.py`.",
        "",
        "| variable | default | what it is |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the page of all reasons to refuse."""
    import schema.errors  # noqa: F401  (imports every module of the domain)

    lines = [
        "# Errors",
        "",
        "What a person can mend is in a payload's `userErrors{code message field}`; the rest is top-level, with the",
        "code in `errors[].extensions.code`. Words in braces are filled in. Written by `make docs` from the code.",
        "",
        "Top-level codes: `UNAUTHENTICATED`, `FORBIDDEN`, `BAD_USER_INPUT`, `RATE_LIMITED` (with `retryAfter` in",
        "seconds), `COST_EXCEEDED`, `PERSISTED_QUERY_NOT_FOUND`, `IDEMPOTENCY_MISMATCH`, `CONFLICT`, `TIMEOUT` and",
        "`INTERNAL` (with `requestId`, to be found in the server's log).",
        "",
        "| code | message |",
        "| --- | --- |",
    ]
    for error in all_errors():
        message = " ".join((error.__doc__ or "").split()).replace("|", "\\|")
        lines.append(f"| `{error.code}` | {message} |")
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "errors.md": errors_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
