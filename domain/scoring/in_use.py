"""Which models score a workspace's leads: its own where they are active and as the server signed them, else the rules
that ship."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
import structlog

from domain import tokens
from domain.learning.kinds import FORMAT, TERM_KINDS
from domain.scoring.default_model import TYPICAL_VALUE_SETTING, default_model, typical_value
from domain.scoring.rules import Rules
from models.database import connected, read
from models.scoring import ScoreModelKind

log = structlog.get_logger(__name__)

PURPOSE = "score-model"
KEPT = 200
ACTIVE = f"""
SELECT workspace.settings ->> '{TYPICAL_VALUE_SETTING}' AS typical_value, version.id
FROM workspace
LEFT JOIN score_model AS model
    ON model.workspace_id = workspace.id AND model.active AND model.archived_at IS NULL
LEFT JOIN score_model_version AS version ON version.model_id = model.id AND version.state = 'ACTIVE'
WHERE workspace.id = $1
"""
VERSIONS = """
SELECT version.id, model.kind::text AS kind, version.model_id, version.number, version.content, version.signature
FROM score_model_version AS version JOIN score_model AS model ON model.id = version.model_id
WHERE version.id = ANY($1::uuid[])
"""
ALL_VERSIONS = "SELECT id FROM score_model_version"
VERSION = "SELECT model_id, number, content, signature FROM score_model_version WHERE id = $1"
SIGN = "UPDATE score_model_version SET signature = $2 WHERE id = $1"


class ModelUnreadable(Exception):
    """A version's content is not what the server has written and signed, or of a format that it does not know."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A learned model as it is used: `data` is of a `domain.learning.additive.Model`, made of leads at this age."""

    version_id: UUID
    data: Mapping[str, Any]
    age: timedelta

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(term["key"] for term in self.data["terms"])


@dataclass(frozen=True, slots=True)
class InUse:
    """The models that score a workspace's leads. They are its own, but for rules that ship where it has none."""

    rules: Rules
    learned: Learned | None
    are_own: bool


_read: OrderedDict[UUID, Rules | Learned] = OrderedDict()


def sign(model_id: UUID, number: int, content: Mapping[str, Any]) -> str:
    """Return the server's signature on what a version says."""
    return tokens.mac(PURPOSE, _canonical(model_id, number, content)).hex()


def check(model_id: UUID, number: int, content: Mapping[str, Any], signature: str) -> None:
    """Raise ModelUnreadable unless the server has signed this."""
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        given = b""
    if not tokens.is_genuine(given, PURPOSE, _canonical(model_id, number, content)):
        raise ModelUnreadable("altered")


async def sign_anew() -> None:
    """Sign versions by the server's own key that one before it has signed."""
    ids = [row["id"] for row in await read(ALL_VERSIONS)]
    for key in ids:
        [row] = await read(VERSION, key)
        content = orjson.loads(row["content"])
        with suppress(ModelUnreadable):
            check(row["model_id"], row["number"], content, row["signature"])
            if (signature := sign(row["model_id"], row["number"], content)) != row["signature"]:
                await connected().execute_query(SIGN, [key, signature])


def _canonical(model_id: UUID, number: int, content: Mapping[str, Any]) -> bytes:
    return orjson.dumps([str(model_id), number, _settled(content)], option=orjson.OPT_SORT_KEYS)


def _settled(value: Any) -> Any:
    """Return plain values as the database gives them back, which knows no negative zero."""
    match value:
        case Mapping():
            return {key: _settled(one) for key, one in value.items()}
        case list() | tuple():
            return [_settled(one) for one in value]
        case float():
            return value + 0.0
        case _:
            return value


async def models(workspace_id: UUID) -> InUse:
    """Return the models that score a workspace's leads; one that cannot be read scores nothing."""
    rows = await read(ACTIVE, workspace_id)
    versions = await _versions([row["id"] for row in rows if row["id"]])
    rules = next((one for one in versions if isinstance(one, Rules)), None)
    learned = next((one for one in versions if isinstance(one, Learned)), None)
    shipped = default_model(typical_value(rows[0]["typical_value"] if rows else None))
    return InUse(rules or shipped, learned, bool(versions))


async def _versions(ids: Sequence[UUID]) -> list[Rules | Learned]:
    """Return the models of versions, which never change: each is read once."""
    if unknown := [one for one in ids if one not in _read]:
        for row in await read(VERSIONS, unknown):
            try:
                content = orjson.loads(row["content"])
                _read[row["id"]] = parse(
                    row["id"], row["model_id"], row["number"], row["kind"], content, row["signature"]
                )
            except ModelUnreadable as error:
                _tell_once(row["model_id"], row["number"], str(error))
    found = [_read[one] for one in ids if one in _read]
    for one in ids:
        if one in _read:
            _read.move_to_end(one)
    while len(_read) > KEPT:
        _read.popitem(last=False)
    return found


@lru_cache(maxsize=KEPT)
def _tell_once(model_id: UUID, number: int, why: str) -> None:
    log.error("a score model in use cannot be read and scores nothing", model=str(model_id), number=number, why=why)


def parse(
    version_id: UUID, model_id: UUID, number: int, kind: str, content: Mapping[str, Any], signature: str
) -> Rules | Learned:
    """Return what a version says; raises ModelUnreadable."""
    check(model_id, number, content, signature)
    try:
        if kind == ScoreModelKind.RULES:
            return Rules.of_json(content)
        return Learned(version_id, _known(content["model"]), timedelta(days=float(content["age_days"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnreadable("newer") from error


def _known(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a learned model, whose form is known here; raises KeyError, TypeError or ValueError."""
    if model["format"] != FORMAT or not {term["is"] for term in model["terms"]} <= TERM_KINDS:
        raise ValueError(model["format"])
    return model
