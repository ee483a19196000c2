"""Colours that people choose for what they send, made such that what is written in them can be read."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

FORM = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# WCAG 2.2, 1.4.3, asks for 4.5 of text; it may stand on a ground that has a little of the colour as well.
ENOUGH = 5.5
STEPS = 64


@dataclass(frozen=True, slots=True)
class Accent:
    """A colour that can be read on its ground, and that of what is written on it."""

    color: str
    on_color: str


def parsed(value: str | None) -> Rgb | None:
    """Return red, green and blue of #1f5eff; None for what is no such colour."""
    found = FORM.fullmatch(value or "")
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast of two colours by WCAG 2.2: 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(maxsize=1024)
def accent(value: str | None, *grounds: str) -> Accent | None:
    """Return a colour, as little lighter or darker as it must be to be read on all grounds; None for what is none."""
    color, behind = parsed(value), [ground for name in grounds if (ground := parsed(name))]
    if color is None:
        return None
    towards = WHITE if behind and sum(map(_luminance, behind)) / len(behind) < 0.18 else BLACK
    steps = (_mixed(color, towards, step / STEPS) for step in range(STEPS + 1))
    fitting = next((one for one in steps if all(contrast(one, ground) >= ENOUGH for ground in behind)), towards)
    written = max((WHITE, BLACK), key=lambda one: contrast(fitting, one))
    return Accent(_written(fitting), _written(written))


def _luminance(color: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (one / 255 for one in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(color: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(one + (two - one) * share) for one, two in zip(color, other, strict=True))
    return red, green, blue


def _written(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
