"""Scores as CSV, for whoever may see the leads."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from api import exports
from domain import api_keys, score_lists
from domain.actors import Actor
from models.leads import Grade, Lead
from models.users import Role
from settings import settings
from tests import factories
from tests.api.serving import Client

pytestmark = pytest.mark.usefixtures("db")
PATH = "/export/scores.csv"


async def exported(client: Client, token: str) -> list[dict[str, Any]]:
    answer = await client.http.get(PATH, headers={"Authorization": token})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "scores.csv" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def scored(actor: Actor, title: str, **columns: Any) -> Lead:
    row = await factories.lead(actor, title=title)
    await Lead.filter(id=row.id).update(**columns)
    return row


async def test_all_leads_that_may_be_seen_are_given_with_their_reasons(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(score_lists, "PAGE", 2)
    admin = await factories.seller()
    rep = await factories.member(Role.REP, of=admin)
    factors = [{"label": "Source is Web", "points": 1.5, "direction": "UP"}]
    columns = {"score": 80, "grade": Grade.A, "engagement": 2, "win_probability": Decimal("0.4321")}
    theirs = await scored(admin, "Theirs", owner_id=rep.user_id, score_factors=factors, **columns)
    others = [await scored(admin, title, owner_id=admin.user_id) for title in ("One", "Two", "Three", "Four")]
    rows = await exported(client, await factories.bearer(admin))
    assert {row["id"] for row in rows} == {f"Lead_{one.id.hex}" for one in (theirs, *others)}
    [row] = await exported(client, await factories.bearer(rep))
    assert row == {
        "id": f"Lead_{theirs.id.hex}",
        "title": "Theirs",
        "status": "OPEN",
        "score": "80",
        "grade": "A",
        "engagement": "2",
        "winProbability": "0.4321",
        "scoredAt": "",
        "factors": "'+1.5 Source is Web",
    }


async def test_leads_of_other_workspaces_and_deleted_ones_are_not_given(client: Client) -> None:
    admin, other = await factories.seller(), await factories.seller()
    await factories.lead(other)
    await scored(admin, "Gone", deleted_at=factories.NOW)
    assert await exported(client, await factories.bearer(admin)) == []


async def test_who_is_not_signed_in_is_given_nothing(client: Client) -> None:
    answer = await client.http.get(PATH)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_who_sees_no_leads_is_refused_and_who_asks_too_often_is_told_when(
    client: Client, monkeypatch: Any
) -> None:
    admin = await factories.seller()
    made = await api_keys.create(admin, name="Catalog", scopes=["product:read"], now=datetime.now(UTC))
    answer = await client.http.get(PATH, headers={"Authorization": f"Bearer {made.secret}"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    # One export is all that somebody has saved up for.
    monkeypatch.setattr(exports, "COST", settings().budget)
    token = await factories.bearer(admin)
    assert await exported(client, token) == []
    answer = await client.http.get(PATH, headers={"Authorization": token})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "RATE_LIMITED")
    assert 0 < int(answer.headers["retry-after"]) <= 60
