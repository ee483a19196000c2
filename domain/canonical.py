"""What was signed or issued in one way of writing, so that its hash says whether it is still the same."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson


def sha256(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of facts as JSON with sorted keys and plain decimals, whatever their places."""
    return hashlib.sha256(orjson.dumps(facts, default=_plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
