"""Every role against every action, as people would be told it, and what exists for whom."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import policy
from domain.actors import ALL, NONE, Actor, ActorKind, Scope, system
from domain.errors import Forbidden, NotFound, Stale
from domain.policy import Action
from models.api_keys import ApiKey
from models.base import uuid7
from models.custom_fields import CustomField
from models.hand_overs import HandOver
from models.imports import Import, ImportFault
from models.leads import Lead
from models.products import Product
from models.qualification import QualificationCriterion
from models.saved_views import SavedView
from models.sessions import Invitation
from models.teams import Team
from models.users import Role
from tests import factories
from tests.factories import NOW

# Written by hand, so that a slip in the rules is a slip in two places.
# A: admin, M: manager, R: rep, Q: qualifier, K: marketer, V: viewer; in small letters: only what is theirs.
WHO_MAY = {
    "workspace.update": "A",
    "user.manage": "A",
    "user.set_absence": "AM",
    "team.manage": "A",
    "apikey.manage": "A",
    "pipeline.manage": "A",
    "customfield.manage": "A",
    "catalog.manage": "AM",
    "campaign.manage": "AMK",
    "competitor.manage": "AMRQK",
    "catalog.qualification": "AM",
    "product.manage": "AM",
    "exchangerate.set": "A",
    "import.start": "AMK",
    "lead.capture": "AMRQK",
    "lead.update": "AMQrk",
    "lead.qualify": "AMQKr",
    "lead.hand_over": "AMQK",
    "lead.decide_hand_over": "AMrqk",
    "lead.assign": "AMQ",
    "lead.move": "AMQr",
    "lead.approve_move": "AM",
    "lead.close": "AMQr",
    "lead.reopen": "AMr",
    "lead.delete": "AMr",
    "lead.cancel_bulk": "AMrqk",
    "company.create": "AMRQK",
    "company.update": "AMRQK",
    "company.delete": "AM",
    "contact.create": "AMRQK",
    "contact.update": "AMRQK",
    "contact.delete": "AM",
    "tag.manage": "AMRQK",
    "activity.log": "AMRQK",
    "activity.log_for_others": "AMQ",
    "activity.update": "AMrqk",
    "attachment.create": "AMRQK",
    "attachment.delete": "AMrqk",
    "savedview.save": "AMRQKV",
    "savedview.update": "AMrqkv",
    "savedview.share": "AM",
    "lead.watch": "AMRQKV",
    "comment.create": "AMRQK",
    "comment.update": "amrqk",
    "comment.delete": "AMrqk",
    "comment.restore": "AMrqk",
    "followup.create": "AMRQK",
    "followup.update": "AMQrk",
    "followup.apply_plan": "AMQrk",
    "followup.manage_plans": "AM",
    "catalog.holidays": "AM",
    "mail.manage": "AM",
    "notification.read": "AMRQKV",
    "notification.set": "AMRQKV",
    "survey.manage": "AMK",
    "survey.dispatch": "AMrQK",
    "scoremodel.manage": "AM",
    "negotiation.negotiate": "AMQr",
    "negotiation.approve": "AM",
    "document.manage": "AM",
    "selling.manage": "A",
    "proposal.create": "AMQr",
    "proposal.update": "AMQr",
    "proposal.approve": "AMRQKV",
    "proposal.send": "AMQr",
    "proposal.delete": "AMQr",
    "proposal.share": "AMrQ",
    "proposal.answer_question": "AMrQ",
    "proposal.record_answer": "AMrQ",
    "contract.create": "AMr",
    "contract.sign": "AMr",
    "invoice.issue": "AMr",
    "invoice.credit": "AM",
    "payment.record": "AM",
    "payment.providers": "A",
}
LETTERS = {
    Role.ADMIN: "A",
    Role.MANAGER: "M",
    Role.REP: "R",
    Role.QUALIFIER: "Q",
    Role.MARKETER: "K",
    Role.VIEWER: "V",
}


@dataclass
class Owned:
    """Owned, written and, where it is gone, deleted by the same person."""

    owner_id: UUID | None

    @property
    def user_id(self) -> UUID | None:
        return self.owner_id

    @property
    def deleted_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def logged_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def created_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def lead_owner_id(self) -> UUID | None:
        return self.owner_id


def actor(role: Role | None, **more: object) -> Actor:
    return Actor(ActorKind.USER, uuid4(), user_id=uuid4(), role=role, rows=ALL, **more)  # type: ignore[arg-type]


def test_the_table_names_every_action_and_every_role() -> None:
    assert set(WHO_MAY) == {action.value for action in Action}
    assert set(LETTERS) == set(Role)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_every_role_against_every_action(role: Role, action: Action) -> None:
    who, me = WHO_MAY[action.value], actor(role)
    always, own = LETTERS[role] in who, LETTERS[role].lower() in who

    assert policy.may(me, action, Owned(me.user_id)) is (always or own), "on what they own"
    assert policy.may(me, action, Owned(uuid4())) is always, "on what another owns"
    assert policy.may(me, action, Owned(None)) is always, "on what nobody owns"
    assert policy.may(me, action) is always, "on nothing in particular"


@pytest.mark.parametrize("action", Action)
def test_nobody_in_particular_may_nothing_and_the_system_everything(action: Action) -> None:
    assert not policy.may(actor(None), action, Owned(None))
    assert policy.may(system(uuid4(), task="rescore"), action)


@pytest.mark.parametrize("action", Action)
def test_a_key_may_what_its_role_may_and_its_scopes_name(action: Action) -> None:
    assert not policy.may(actor(Role.ADMIN, scopes=frozenset[str]()), action)
    assert not policy.may(actor(Role.ADMIN, scopes=frozenset({f"{action.noun}:read"})), action)
    for role in Role:
        key = actor(role, scopes=frozenset({f"{action.noun}:write"}))
        assert policy.may(key, action, Owned(key.user_id)) is (LETTERS[role] in WHO_MAY[action.value].upper())


def test_no_scope_lets_a_key_make_keys() -> None:
    assert "apikey:write" not in policy.API_SCOPES


async def test_require_names_what_is_forbidden(db: str) -> None:
    lead = Lead(owner_id=uuid7())
    attempts = {
        "capture leads.": (actor(Role.VIEWER), Action.CAPTURE_LEAD, None),
        "change leads, except those that you own.": (actor(Role.REP), Action.UPDATE_LEAD, lead),
        "import files, since the API key lacks the scope import:write.": (
            actor(Role.ADMIN, scopes=frozenset({"lead:write"})),
            Action.IMPORT,
            None,
        ),
    }
    for words, (who, action, subject) in attempts.items():
        with pytest.raises(Forbidden) as refused:
            policy.require(who, action, subject)
        assert refused.value.message == f"You may not do this: {words}"


def test_leads_exist_as_row_visibility_says_and_other_nouns_for_every_member() -> None:
    mine = Scope(frozenset({uuid4()}))
    rep = Actor(ActorKind.USER, uuid4(), user_id=uuid4(), role=Role.REP, rows=mine)

    assert policy.scope(rep, Lead) == mine
    assert policy.scope(rep, Product) == ALL


def test_nothing_exists_for_who_has_no_role_or_no_scope() -> None:
    assert policy.scope(actor(None), Product) == NONE
    assert policy.scope(actor(Role.ADMIN, scopes=frozenset({"lead:read"})), Product) == NONE
    assert policy.scope(actor(Role.ADMIN, scopes=frozenset({"product:read"})), Product) == ALL


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
@pytest.mark.parametrize("noun", [ApiKey, Invitation])
def test_keys_and_invitations_exist_for_admins_only(role: Role, noun: type[ApiKey | Invitation]) -> None:
    assert policy.scope(actor(role), noun) == NONE
    assert policy.scope(actor(Role.ADMIN), noun) == ALL


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("noun", [Import, ImportFault])
def test_imports_exist_for_those_who_may_import(role: Role, noun: type[Import | ImportFault]) -> None:
    assert policy.scope(actor(role), noun) == (ALL if LETTERS[role] in WHO_MAY["import.start"] else NONE)


async def test_another_workspaces_row_is_not_found(db: str) -> None:
    stranger, admin = await factories.member(), await factories.member()
    team = await factories.team(admin)

    assert (await policy.get(admin, Team, team.id)).id == team.id
    for key in (team.id, uuid7()):
        with pytest.raises(NotFound):
            await policy.get(stranger, Team, key)
        with pytest.raises(NotFound):
            await policy.locked(stranger, Team, key)
    assert await policy.visible(stranger, Team).count() == 0


async def test_a_stale_edit_is_told_the_current_row(db: str) -> None:
    admin = await factories.member()
    team = await factories.team(admin, name="North")

    with pytest.raises(Stale) as stale:
        await policy.locked(admin, Team, team.id, expected_version=7)

    assert stale.value.current.name == "North"
    assert (await policy.locked(admin, Team, team.id, expected_version=1)).id == team.id


async def test_a_deleted_row_is_found_only_when_asked_for(db: str) -> None:
    admin = await factories.member()
    team = await factories.team(admin)
    await Team.filter(id=team.id).update(deleted_at=NOW)

    with pytest.raises(NotFound):
        await policy.locked(admin, Team, team.id)
    assert (await policy.locked(admin, Team, team.id, deleted=True)).id == team.id


@pytest.mark.parametrize(
    ("noun", "words"),
    [
        (SavedView, "saved view"),
        (CustomField, "custom field"),
        (QualificationCriterion, "qualification criterion"),
        (HandOver, "hand-over"),
        (ApiKey, "API key"),
        (Lead, "lead"),
    ],
)
async def test_what_is_not_there_is_called_as_people_call_it(db: str, noun: type[Any], words: str) -> None:
    with pytest.raises(NotFound) as caught:
        await policy.get(await factories.member(), noun, uuid7())
    assert caught.value.message == f"There is no {words} with this id, or you may not see it."
