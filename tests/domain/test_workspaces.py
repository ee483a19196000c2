"""How a workspace begins, and what is set for all of it."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain import pipelines, sessions, users, workspaces
from domain.actors import ALL
from domain.errors import AlreadyExists, Forbidden, Invalid, Malformed, OutOfRange, RateLimited, Stale
from domain.sessions import SignedIn
from domain.sign_in_attempts import ALLOWED, Limit
from domain.workspaces import BaseCurrencyInUse
from models.base import uuid7
from models.catalog import LostReason, Source
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.leads import Lead
from models.pipelines import Pipeline
from models.stages import Stage
from models.users import Membership, Role, User, Visibility
from models.workspaces import Workspace
from tests import factories
from tests.factories import NOW


async def sign_up(**more: Any) -> SignedIn:
    given: dict[str, Any] = {
        "workspace_name": "Acme",
        "name": "Ada",
        "email": f"{uuid7()}@example.com",
        "password": "seven red bicycles",
        "base_currency": "eur",
        "time_zone": "Europe/Berlin",
        "now": NOW,
    }
    return await workspaces.sign_up(**given | more)


class TestSignUp:
    async def test_it_makes_a_workspace_ready_to_work_in_and_signs_its_admin_in(self, db: str) -> None:
        email = f"{uuid7()}@Example.com"

        signed_in = await sign_up(email=email)

        actor = await users.load_actor(signed_in.access_token, now=NOW)
        home = await Workspace.get(id=actor.workspace_id)
        assert (actor.role, actor.rows) == (Role.ADMIN, ALL)
        assert (home.name, home.base_currency, home.time_zone, home.locale) == ("Acme", "EUR", "Europe/Berlin", "en")
        pipeline = await Pipeline.get(workspace_id=home.id, is_default=True)
        assert await Stage.filter(pipeline_id=pipeline.id).exists()
        assert await Source.filter(workspace_id=home.id).exists()
        assert await LostReason.filter(workspace_id=home.id).exists()
        assert [event.name for event in await factories.events(home.id)] == ["workspace.created"]
        names = [event.name for event in await factories.events(actor.user_id)]
        assert names == ["user.joined", "user.signed_in"]
        assert await sessions.sign_in(email=email.lower(), password="seven red bicycles", now=NOW)

    async def test_two_with_one_email_at_once_make_one_account(self, db: str) -> None:
        email, name = f"{uuid7()}@example.com", str(uuid7())

        outcomes = await asyncio.gather(
            *(sign_up(email=email, workspace_name=name) for _ in range(2)), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes].count(AlreadyExists) == 1
        assert await User.filter(email_normalised=email).count() == 1
        assert await Workspace.filter(name=name).count() == 1

    async def test_the_same_email_written_otherwise_exists_already(self, db: str) -> None:
        email = f"{uuid7()}@example.com"
        await sign_up(email=email)
        with pytest.raises(AlreadyExists) as exists:
            await sign_up(email=f" {email.upper()} ")
        assert exists.value.field == ("email",)

    async def test_faults_are_told_together_and_nothing_is_half_made(self, db: str) -> None:
        name = "x" * 201
        with pytest.raises(Invalid) as invalid:
            await sign_up(
                workspace_name=name,
                name="\x07",
                email="nobody",
                password="password123",
                base_currency="EURO",
                time_zone="Nowhere",
                locale="!",
            )
        told = {(fault.field or ("",))[0] for fault in invalid.value.faults}
        assert told == {"workspaceName", "name", "email", "password", "baseCurrency", "timeZone", "locale"}
        assert not await Workspace.filter(name=name).exists()

    async def test_an_address_is_limited(self, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(ALLOWED, Limit.SIGN_UP_ADDRESS, (1, ALLOWED[Limit.SIGN_UP_ADDRESS][1]))
        address = str(uuid7())
        await sign_up(address=address)
        with pytest.raises(RateLimited):
            await sign_up(address=address)


class TestUpdate:
    async def test_what_is_given_changes_and_the_rest_stays(self, db: str) -> None:
        admin = await factories.member()

        row: Any = await workspaces.update(
            admin, name="Globex", base_currency="usd", wins_window_days=30, expected_version=1, now=NOW
        )

        assert (row.name, row.base_currency, row.wins_window_days, row.version) == ("Globex", "USD", 30, 2)
        assert (row.time_zone, row.locale) == ("UTC", "en")
        (event,) = await Event.filter(workspace_id=admin.workspace_id, name="workspace.updated")
        assert event.data["changes"]["name"] == ["Acme", "Globex"]

    async def test_an_edit_that_changes_nothing_is_none(self, db: str) -> None:
        admin = await factories.member()
        assert (await workspaces.update(admin, name="Acme", role_visibility={}, now=NOW)).version == 1
        assert not await Event.filter(workspace_id=admin.workspace_id).exists()

    async def test_visibility_is_kept_per_role(self, db: str) -> None:
        admin = await factories.member()
        await workspaces.update(admin, role_visibility={Role.REP: Visibility.TEAM}, now=NOW)
        row = await workspaces.update(admin, role_visibility={Role.VIEWER: Visibility.OWN}, now=NOW)
        assert row.role_visibility == {"REP": "TEAM", "VIEWER": "OWN"}

    async def test_the_base_currency_stays_once_a_lead_has_a_value(self, db: str) -> None:
        admin = await factories.member()
        pipeline = await pipelines.create_default(admin, now=NOW)
        stage = await Stage.filter(pipeline_id=pipeline.id).first()
        lead = await Lead.create(
            workspace_id=admin.workspace_id,
            title="Lead",
            pipeline=pipeline,
            stage=stage,
            rank="a",
            currency="EUR",
            stage_entered_at=NOW,
            created_at=NOW,
            updated_at=NOW,
        )
        await workspaces.update(admin, base_currency="USD", now=NOW)
        await Lead.filter(id=lead.id).update(value=Decimal(7))

        with pytest.raises(BaseCurrencyInUse):
            await workspaces.update(admin, base_currency="GBP", now=NOW)
        assert (await workspaces.update(admin, base_currency="USD", name="Same", now=NOW)).version == 3

    async def test_the_base_currency_stays_once_a_rate_is_set_in_it(self, db: str) -> None:
        admin = await factories.member()
        home = admin.workspace_id
        await ExchangeRate.create(
            workspace_id=home,
            currency="USD",
            rate=Decimal("0.9"),
            valid_on=date(2026, 1, 1),
            created_at=NOW,
        )
        with pytest.raises(BaseCurrencyInUse):
            await workspaces.update(admin, base_currency="GBP", now=NOW)

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"base_currency": "XXL"}, Malformed),
            ({"time_zone": "Mars"}, Malformed),
            ({"locale": "klingon"}, Malformed),
            ({"wins_window_days": 0}, OutOfRange),
            ({"wins_window_days": 10**10}, OutOfRange),
            ({"expected_version": 2, "name": "New"}, Stale),
        ],
    )
    async def test_bad_input_changes_nothing(self, db: str, wrong: dict[str, Any], error: type[Exception]) -> None:
        admin = await factories.member()
        with pytest.raises(error):
            await workspaces.update(admin, now=NOW, **wrong)
        assert (await Workspace.get(id=admin.workspace_id)).version == 1

    async def test_only_admins_may(self, db: str) -> None:
        admin = await factories.member()
        for role in set(Role) - {Role.ADMIN}:
            with pytest.raises(Forbidden):
                await workspaces.update(await factories.member(role, of=admin), name="Mine", now=NOW)


async def test_a_sign_up_makes_one_membership(db: str) -> None:
    signed_in = await sign_up()

    (membership,) = await Membership.filter(workspace_id=signed_in.session.workspace_id)

    assert (membership.user_id, membership.active) == (signed_in.session.user_id, True)
