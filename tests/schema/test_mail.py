"""Mails in the schema: what did not arrive and why, who gets nothing more, and in whose words."""

from typing import Any
from uuid import UUID

import pytest

from domain.actors import Actor
from domain.words import LANGUAGES
from models.base import uuid7
from models.deliveries import Delivery, DeliveryStatus
from models.users import Role
from tests.factories import NOW, member, seller
from tests.schema.asking import ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")
WHY = """query($filter: DeliveryFilter) {
  deliveries(filter: $filter) {
    totalCount
    nodes { id status channel kind reason address atRisk attempts dueAt endedAt createdAt
      user { name } contact { name }
    }
  }
}"""
RETRY = (
    "mutation($input: RetryDeliveryInput!) { retryDelivery(input: $input) { delivery { status } userErrors { code } } }"
)
SUPPRESS = """mutation($input: SuppressAddressInput!) {
  suppressAddress(input: $input) { suppression { id email kind reason note } userErrors { code field } }
}"""
REMOVE = """mutation($input: RemoveSuppressionInput!) {
  removeSuppression(input: $input) { deletedSuppressionId userErrors { code } }
}"""
WORDS = """query($kind: String, $language: LanguageTag) {
  mailTemplates(kind: $kind, language: $language) {
    kind language about facts isOwn subject text html version updatedAt preview { subject text html }
  }
}"""
SET = """mutation($input: SetMailTemplateInput!) {
  setMailTemplate(input: $input) { mailTemplate { isOwn subject version } userErrors { code field message } }
}"""
RESET = """mutation($input: ResetMailTemplateInput!) {
  resetMailTemplate(input: $input) { mailTemplate { isOwn subject version } userErrors { code } }
}"""
PREVIEW = """query($subject: String!, $text: String!, $html: String) {
  previewMailTemplate(kind: "invitation", language: "de", subject: $subject, text: $text, html: $html) {
    preview { subject text html } problems { field line message }
  }
}"""
OWN = {"kind": "invitation", "language": "de", "subject": "Komm zu {{ workspace }}", "text": "Hier: {{ link }}"}


async def delivery(actor: Actor, user_id: UUID | None = None, **columns: Any) -> Delivery:
    facts: dict[str, Any] = {"channel": "MAIL", "kind": "invitation", "occasion": f"{uuid7()}", "due_at": NOW}
    return await Delivery.create(workspace_id=actor.workspace_id, user_id=user_id, created_at=NOW, **(facts | columns))


async def test_why_did_it_not_arrive() -> None:
    admin = await seller()
    await delivery(admin, status="SENT")
    failed = await delivery(admin, status="FAILED", reason="550 no such user", address="ada@example.com", attempts=1)
    await delivery(admin, status="SENT", at_risk=True)
    found = await ask(admin, WHY, filter={"status": {"eq": "FAILED"}, "reason": {"contains": "no such"}})
    [row] = found["deliveries"]["nodes"]
    assert (row["id"], row["reason"], row["address"]) == (
        gid("Delivery", failed.id),
        "550 no such user",
        "ada@example.com",
    )
    risky = await ask(admin, WHY, filter={"atRisk": {"eq": True}, "channel": {"eq": "MAIL"}})
    assert risky["deliveries"]["totalCount"] == 1


async def test_everybody_sees_what_is_for_them_and_managers_all() -> None:
    admin = await seller()
    rep, manager = await member(Role.REP, of=admin), await member(Role.MANAGER, of=admin)
    theirs = await delivery(admin, rep.user_id)
    await delivery(admin, admin.user_id)
    await delivery(admin)
    counts = [(await ask(each, WHY))["deliveries"]["totalCount"] for each in (admin, manager, rep)]
    assert counts == [3, 3, 1]
    one = "query($id: ID!) { delivery(id: $id) { id } }"
    assert (await ask(rep, one, id=gid("Delivery", theirs.id)))["delivery"]
    stranger = await seller()
    assert (await ask(stranger, one, id=gid("Delivery", theirs.id)))["delivery"] is None


async def test_what_failed_is_tried_again() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    failed = await delivery(admin, rep.user_id, status="FAILED", attempts=16, ended_at=NOW, reason="451")
    retry = {"id": gid("Delivery", failed.id)}
    assert (await ask(rep, RETRY, input=retry))["retryDelivery"]["userErrors"] == [{"code": "FORBIDDEN"}]
    told = (await ask(admin, RETRY, input=retry))["retryDelivery"]
    assert told == {"delivery": {"status": "PENDING"}, "userErrors": []}
    row = await Delivery.get(id=failed.id)
    assert (row.status, row.attempts, row.ended_at) == (DeliveryStatus.PENDING, 0, None)
    assert (await ask(admin, RETRY, input=retry))["retryDelivery"]["userErrors"] == [{"code": "NOT_FAILED"}]


async def test_addresses_are_suppressed_and_given_free() -> None:
    admin = await seller()
    told = (await ask(admin, SUPPRESS, input={"email": "Ada@Bücher.example", "note": "She asked."}))["suppressAddress"]
    assert told["suppression"]["email"] == "ada@xn--bcher-kva.example"
    assert (told["suppression"]["kind"], told["suppression"]["reason"]) == (None, "MANUAL")
    again = (await ask(admin, SUPPRESS, input={"email": "ada@bücher.example", "note": "Again."}))["suppressAddress"]
    assert again["suppression"] == told["suppression"]
    wrong = (await ask(admin, SUPPRESS, input={"email": "ada", "kind": "invitation"}))["suppressAddress"]
    assert wrong["userErrors"] == [
        {"code": "MALFORMED", "field": ["email"]},
        {"code": "MALFORMED", "field": ["kind"]},
    ]
    listed = '{ suppressions(filter: {email: {contains: "ada"}}) { nodes { id createdAt } } }'
    assert len((await ask(admin, listed))["suppressions"]["nodes"]) == 1
    rep = await member(Role.REP, of=admin)
    assert (await ask(rep, listed))["suppressions"]["nodes"] == []
    refused = (await ask(rep, SUPPRESS, input={"email": "bob@example.com"}))["suppressAddress"]
    assert [error["code"] for error in refused["userErrors"]] == ["FORBIDDEN"]
    key = told["suppression"]["id"]
    gone = (await ask(admin, REMOVE, input={"id": key}))["removeSuppression"]
    assert gone == {"deletedSuppressionId": key, "userErrors": []}
    assert (await ask(admin, REMOVE, input={"id": key}))["removeSuppression"]["userErrors"] == [{"code": "NOT_FOUND"}]


async def test_mails_are_said_in_own_words() -> None:
    admin = await seller()
    [shipped] = (await ask(admin, WORDS, kind="invitation", language="de"))["mailTemplates"]
    assert (shipped["isOwn"], shipped["version"], shipped["subject"]) == (False, 0, None)
    assert "lädt Sie" in shipped["preview"]["subject"]
    assert "link" in shipped["facts"]
    told = (await ask(admin, SET, input=OWN | {"expectedVersion": 0}))["setMailTemplate"]
    assert told == {"mailTemplate": {"isOwn": True, "subject": OWN["subject"], "version": 1}, "userErrors": []}
    [own] = (await ask(admin, WORDS, kind="invitation", language="de"))["mailTemplates"]
    assert own["preview"]["subject"] == "Komm zu Acme"
    assert "Hier: " in own["preview"]["html"]
    stale = (await ask(admin, SET, input=OWN | {"expectedVersion": 0}))["setMailTemplate"]
    assert stale["userErrors"][0]["code"] == "STALE"
    assert stale["mailTemplate"]["version"] == 1
    wrong = (await ask(admin, SET, input=OWN | {"text": "\n{{ range(9) }}"}))["setMailTemplate"]
    assert wrong["userErrors"] == [
        {"code": "FAULTY_TEMPLATE", "field": ["text"], "message": "Line 2: a call cannot be used in mails."}
    ]
    back = (await ask(admin, RESET, input={"kind": "invitation", "language": "de"}))["resetMailTemplate"]
    assert back["mailTemplate"] == {"isOwn": False, "subject": None, "version": 0}
    rep = await member(Role.REP, of=admin)
    assert await codes(rep, WORDS) == ["FORBIDDEN"]
    assert len((await ask(admin, WORDS, language="pt"))["mailTemplates"]) >= 2


async def test_words_are_previewed_and_not_kept() -> None:
    admin = await seller()
    told = await ask(
        admin, PREVIEW, subject="Für {{ inviter }}", text="Bis {{ expires_at | moment }}", html="<b>{{ role }}</b>"
    )
    preview = told["previewMailTemplate"]["preview"]
    assert preview["subject"] == "Für Grace Hopper"
    assert preview["text"].startswith("Bis 16. März 2026, 09:00 UTC")
    assert "<b>rep</b>" in preview["html"]
    wrong = await ask(admin, PREVIEW, subject="{{ nobody }}", text="a\n{% if %}")
    assert wrong["previewMailTemplate"]["preview"] is None
    assert [(one["field"], one["line"]) for one in wrong["previewMailTemplate"]["problems"]] == [
        ("subject", 1),
        ("text", 2),
    ]
    shipped = (await ask(admin, WORDS, kind="invitation"))["mailTemplates"]
    assert [one["isOwn"] for one in shipped] == [False] * len(LANGUAGES)
