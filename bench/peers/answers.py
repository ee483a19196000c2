"""Whether all say the same: what an answer holds, whatever its dialect."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schema import ids

NAMED = ("stage", "owner", "company")


def content(kind: str, data: dict[str, Any]) -> Any:
    """Return what an answer says in a form in which answers of different contenders are equal."""
    if kind == "page":
        page = data["leads"]
        assert page["pageInfo"]["endCursor"]
        return [_lead(edge["node"]) for edge in page["edges"]], page["pageInfo"]["hasNextPage"]
    return _keyed(data) if kind == "board" else _plain(data["lead"])


def _lead(node: dict[str, Any]) -> Any:
    value = node.get("value")
    if not isinstance(value, dict):
        value = None if value is None else {"amount": value, "currencyCode": node["currency"]}
    named = [node[name] and (key(node[name]["id"]), node[name]["name"]) for name in NAMED]
    needs = [_plain(edge["node"]) for edge in node["needs"]["edges"]]
    worth = value and (Decimal(value["amount"]).normalize(), value["currencyCode"])
    return _plain({name: node[name] for name in ("id", "title", "status", "score", "createdAt")}), worth, named, needs


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    shown = row | {"id": key(row["id"])}
    if "createdAt" in row:
        shown["createdAt"] = datetime.fromisoformat(row["createdAt"]).astimezone(UTC)
    return shown


def _keyed(said: Any) -> Any:
    if isinstance(said, list):
        return [_keyed(one) for one in said]
    if not isinstance(said, dict):
        return said
    return {name: key(value) if name == "id" else _keyed(value) for name, value in said.items()}


def key(given: str) -> UUID:
    """Return the key behind an id, a global one or a plain one."""
    return UUID(given) if "-" in given else ids.parse(given)[1]
