"""Who acts with a credential, whose leads they see, and how members change."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from domain import api_keys, sessions, teams, users, workspaces
from domain.actors import ALL, Actor, ActorKind
from domain.errors import AlreadyExists, Forbidden, Invalid, NotFound, Stale, Unauthenticated
from domain.sessions import SessionEnded, WrongCredentials
from domain.sign_in_attempts import ALLOWED, Limit
from domain.users import LastAdmin, OwnAccount, WrongPassword
from models.base import uuid7
from models.events import Event
from models.postgres import Client
from models.sessions import Session
from models.users import Membership, Role, User, Visibility
from models.workspaces import Workspace
from tests import factories
from tests.factories import NOW
from tests.statements import recorded


async def loaded(actor: Actor) -> Actor:
    return await users.load_actor((await factories.session(actor)).access_token, now=NOW)


async def seen_by(actor: Actor) -> set[Any] | None:
    owners = (await loaded(actor)).rows.owners
    return None if owners is None else set(owners)


async def events_of(actor: Actor, name: str) -> list[Event]:
    return await Event.filter(workspace_id=actor.workspace_id, name=name).order_by("id")


class TestLoadActor:
    @pytest.mark.parametrize("role", Role)
    async def test_one_statement_says_who_acts(self, db: str, role: Role) -> None:
        workspace = await factories.workspace()
        member = await factories.member(role, of=workspace, team=await factories.team(workspace))
        token = (await factories.session(member)).access_token
        await users.load_actor(token, now=NOW)

        with recorded() as sql:
            actor = await users.load_actor(token, now=NOW)

        assert len(sql) == 1, sql
        assert (actor.kind, actor.user_id, actor.role) == (ActorKind.USER, member.user_id, role)

    async def test_a_deactivated_members_token_stops_at_once(self, db: str) -> None:
        admin = await factories.member()
        rep = await factories.member(Role.REP, of=admin)
        token = (await factories.session(rep)).access_token
        assert rep.user_id

        await users.update_member(admin, rep.user_id, active=False, now=NOW)

        with pytest.raises(Unauthenticated):
            await users.load_actor(token, now=NOW)

    async def test_a_changed_role_holds_with_the_next_request(self, db: str) -> None:
        admin = await factories.member()
        rep = await factories.member(Role.REP, of=admin)
        token = (await factories.session(rep)).access_token
        assert rep.user_id

        await users.update_member(admin, rep.user_id, role=Role.ADMIN, now=NOW)

        actor = await users.load_actor(token, now=NOW)
        assert (actor.role, actor.rows) == (Role.ADMIN, ALL)


class TestTogether:
    """Those who come while somebody is looked up are looked up together, and after they came."""

    async def test_what_ended_while_somebody_was_looked_up_has_ended_for_who_came_after(
        self, db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rep = await factories.member(Role.REP)
        signed_in = await factories.session(rep)
        read, told, fetch = asyncio.Event(), asyncio.Event(), Client.fetch

        async def late(self: Client, sql: str, values: Sequence[Any]) -> list[Any]:
            rows = await fetch(self, sql, values)
            if sql == users.BY_SESSION:
                read.set()
                await told.wait()
            return rows

        monkeypatch.setattr(Client, "fetch", late)
        before = asyncio.create_task(users.load_actor(signed_in.access_token, now=NOW))
        await read.wait()
        await Session.filter(id=signed_in.session.id).update(revoked_at=NOW)
        after = [asyncio.create_task(users.load_actor(signed_in.access_token, now=NOW)) for _ in range(3)]
        await asyncio.sleep(0)
        told.set()
        assert (await before).user_id == rep.user_id
        for refused in after:
            with pytest.raises(Unauthenticated):
                await refused

    async def test_one_bad_credential_is_refused_alone(self, db: str) -> None:
        actors = [await factories.member(role) for role in Role]
        good = [(await factories.session(actor)).access_token for actor in actors]
        key = (await api_keys.create(await factories.member(), name="Shop", scopes=["lead:read"], now=NOW)).secret
        ended = await factories.session(actors[0])
        await Session.filter(id=ended.session.id).update(revoked_at=NOW)
        short = await factories.session(actors[0])
        await Session.filter(id=short.session.id).update(expires_at=NOW)
        moved = await factories.session(actors[0])
        await Session.filter(id=moved.session.id).update(workspace_id=actors[1].workspace_id)
        bad = [ended.access_token, short.access_token, moved.access_token, key + "x", "none"]
        asked = [*bad, *good, key, *bad, *good, key]
        with recorded() as sql:
            answers = await asyncio.gather(
                *(users.load_actor(credential, now=NOW) for credential in asked), return_exceptions=True
            )
        for credential, answer in zip(asked, answers, strict=True):
            assert isinstance(answer, Unauthenticated) == (credential in bad), answer
            if credential in good:
                assert isinstance(answer, Actor) and answer.user_id == actors[good.index(credential)].user_id
        assert len(sql) < len(asked) / 2


class TestVisibility:
    @pytest.mark.parametrize("role", [Role.ADMIN, Role.QUALIFIER, Role.MARKETER, Role.VIEWER])
    async def test_these_roles_see_every_lead(self, db: str, role: Role) -> None:
        assert await seen_by(await factories.member(role)) is None

    async def test_a_rep_sees_their_own(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        rep = await factories.member(Role.REP, of=admin, team=team)
        await factories.member(Role.REP, of=admin, team=team)

        assert await seen_by(rep) == {rep.user_id}

    async def test_a_manager_sees_their_team_and_its_sub_teams_and_no_others(self, db: str) -> None:
        admin = await factories.member()
        sales = await factories.team(admin, name="Sales")
        north = await factories.team(admin, name="North", parent=sales)
        coast = await factories.team(admin, name="Coast", parent=north)
        south = await factories.team(admin, name="South", parent=sales)
        chief = await factories.member(Role.MANAGER, of=admin, team=sales)
        manager = await factories.member(Role.MANAGER, of=admin, team=north)
        here = await factories.member(Role.REP, of=admin, team=north)
        gone = await factories.member(Role.REP, of=admin, team=coast, active=False)
        other = await factories.member(Role.REP, of=admin, team=south)
        await factories.member(Role.REP, of=admin)

        assert await seen_by(manager) == {manager.user_id, here.user_id, gone.user_id}
        assert await seen_by(chief) == {a.user_id for a in (chief, manager, here, gone, other)}

    async def test_a_manager_without_a_team_sees_their_own(self, db: str) -> None:
        manager = await factories.member(Role.MANAGER)
        await factories.member(Role.REP, of=manager)

        assert await seen_by(manager) == {manager.user_id}

    async def test_the_workspace_can_set_it_per_role(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        rep = await factories.member(Role.REP, of=admin, team=team)
        mate = await factories.member(Role.REP, of=admin, team=team)
        viewer = await factories.member(Role.VIEWER, of=admin)
        chosen = {Role.REP: Visibility.TEAM, Role.VIEWER: Visibility.OWN}

        await workspaces.update(admin, role_visibility=chosen, now=NOW)

        assert await seen_by(rep) == {rep.user_id, mate.user_id}
        assert await seen_by(viewer) == {viewer.user_id}
        await workspaces.update(admin, role_visibility={Role.REP: Visibility.ALL}, now=NOW)
        assert await seen_by(rep) is None
        assert await seen_by(viewer) == {viewer.user_id}

    async def test_every_change_of_teams_is_seen_with_the_next_request(self, db: str) -> None:
        admin = await factories.member()
        sales = await teams.create(admin, name="Sales", now=NOW)
        north = await teams.create(admin, name="North", now=NOW)
        manager = await factories.member(Role.MANAGER, of=admin, team=sales)
        rep = await factories.member(Role.REP, of=admin)
        assert rep.user_id and manager.user_id
        token = (await factories.session(manager)).access_token

        async def seen() -> set[Any]:
            return set((await users.load_actor(token, now=NOW)).rows.owners or ()) - {manager.user_id}

        assert await seen() == set()
        await users.update_member(admin, rep.user_id, team_id=north.id, now=NOW)
        assert await seen() == set()
        await teams.update(admin, north.id, parent_id=sales.id, now=NOW)
        assert await seen() == {rep.user_id}
        await teams.update(admin, north.id, parent_id=None, now=NOW)
        assert await seen() == set()
        await users.update_member(admin, rep.user_id, team_id=sales.id, now=NOW)
        assert await seen() == {rep.user_id}
        await users.update_member(admin, rep.user_id, team_id=None, now=NOW)
        assert await seen() == set()

    async def test_what_is_remembered_is_bounded(self, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(teams, "REMEMBERED", 2)
        teams._owners.clear()
        workspace = await factories.workspace()
        team = await factories.team(workspace)
        for _ in range(4):
            await factories.member(Role.MANAGER, of=workspace, team=team)

        assert len(teams._owners) == 2

    async def test_teams_of_two_workspaces_stay_apart(self, db: str) -> None:
        here, there = await factories.member(), await factories.member()
        person = await User.get(id=here.user_id)
        team = await factories.team(there)
        manager = await factories.member(Role.MANAGER, of=there, team=team, person=person)
        mate = await factories.member(Role.REP, of=there, team=team)

        assert await seen_by(manager) == {person.id, mate.user_id}
        assert await seen_by(here) is None


class TestUpdateMe:
    async def test_name_time_zone_and_language(self, db: str) -> None:
        me = await factories.member(Role.VIEWER)

        row: Any = await users.update_me(me, name=" Ada ", time_zone="Europe/Paris", locale="fr", now=NOW)

        assert (row.name, row.time_zone, row.locale, row.version) == ("Ada", "Europe/Paris", "fr", 2)
        (event,) = await events_of(me, "user.updated")
        assert event.data["changes"]["locale"] == [None, "fr"]
        cleared: Any = await users.update_me(me, time_zone=None, now=NOW)
        assert (cleared.time_zone, cleared.locale) == (None, "fr")

    async def test_an_edit_that_changes_nothing_is_none(self, db: str) -> None:
        me = await factories.member(name="Ada")

        assert (await users.update_me(me, name="Ada", now=NOW)).version == 1
        assert (await users.update_me(me, now=NOW)).version == 1
        assert await events_of(me, "user.updated") == []

    async def test_faults_are_told_together(self, db: str) -> None:
        with pytest.raises(Invalid) as invalid:
            await users.update_me(
                await factories.member(),
                name=" ",
                time_zone="Mars/Olympus",
                locale="xx-yy-zz",
                password="short",
                now=NOW,
            )

        told = {(fault.code, fault.field) for fault in invalid.value.faults}
        assert told == {
            ("REQUIRED", ("name",)),
            ("MALFORMED", ("timeZone",)),
            ("MALFORMED", ("locale",)),
            ("PASSWORD_TOO_SHORT", ("password",)),
        }

    async def test_a_stale_edit_is_refused(self, db: str) -> None:
        me = await factories.member()
        with pytest.raises(Stale) as stale:
            await users.update_me(me, name="Ada", expected_version=2, now=NOW)
        assert stale.value.current.id == me.user_id

    async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(self, db: str) -> None:
        me = await factories.member()
        old = await factories.password_of(me)
        here, there = await factories.session(me), await factories.session(me)
        actor = await users.load_actor(here.access_token, now=NOW)
        email = (await User.get(id=me.user_id)).email or ""

        for wrong in (None, "", "another password"):
            with pytest.raises(WrongPassword):
                await users.update_me(actor, password="nine green lamps", old_password=wrong, now=NOW)
        assert await users.load_actor(there.access_token, now=NOW)
        await users.update_me(actor, password="nine green lamps", old_password=old, now=NOW)

        assert await users.load_actor(here.access_token, now=NOW)
        with pytest.raises(SessionEnded):
            await sessions.refresh(there.refresh_token, now=NOW)
        with pytest.raises(WrongCredentials):
            await sessions.sign_in(email=email, password=old, now=NOW)
        assert await sessions.sign_in(email=email, password="nine green lamps", now=NOW)
        (event,) = await events_of(me, "user.password_changed")
        assert "argon2" not in str(event.data)
        assert await events_of(me, "user.updated") == []

    async def test_guesses_of_the_old_password_are_limited(self, db: str) -> None:
        me = await factories.member()
        await factories.password_of(me)
        outcomes = await asyncio.gather(
            *(
                users.update_me(me, password="nine green lamps", old_password="wrong one", now=NOW)
                for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0] + 1)
            ),
            return_exceptions=True,
        )

        assert sorted({type(outcome).__name__ for outcome in outcomes}) == ["RateLimited", "WrongPassword"]

    async def test_a_key_has_no_self_to_change(self, db: str) -> None:
        with pytest.raises(Forbidden):
            await users.update_me(
                await factories.partner("user:write", of=await factories.workspace()), name="Ada", now=NOW
            )


class TestUpdateMember:
    async def test_role_and_team(self, db: str) -> None:
        admin = await factories.member()
        rep = await factories.member(Role.REP, of=admin)
        team = await factories.team(admin)
        assert rep.user_id

        row = await users.update_member(admin, rep.user_id, role=Role.MANAGER, team_id=team.id, now=NOW)

        membership = await Membership.get(workspace_id=admin.workspace_id, user_id=rep.user_id)
        assert (membership.role, membership.team_id, row.version) == (Role.MANAGER, team.id, 2)
        (event,) = await events_of(admin, "user.updated")
        assert event.data["changes"] == {"role": ["REP", "MANAGER"], "team_id": [None, str(team.id)]}

    async def test_an_edit_that_changes_nothing_is_none(self, db: str) -> None:
        admin = await factories.member()
        assert admin.user_id
        before = (await Workspace.get(id=admin.workspace_id)).memberships_version

        row = await users.update_member(admin, admin.user_id, role=Role.ADMIN, active=True, now=NOW)

        assert row.version == 1
        assert (await Workspace.get(id=admin.workspace_id)).memberships_version == before
        assert await events_of(admin, "user.updated") == []

    async def test_only_admins_may(self, db: str) -> None:
        admin = await factories.member()
        for role in set(Role) - {Role.ADMIN}:
            me = await factories.member(role, of=admin)
            assert me.user_id
            with pytest.raises(Forbidden):
                await users.update_member(me, me.user_id, role=Role.ADMIN, now=NOW)

    async def test_another_workspaces_member_or_team_does_not_exist(self, db: str) -> None:
        admin, stranger = await factories.member(), await factories.member()
        assert admin.user_id and stranger.user_id
        for user_id in (stranger.user_id, uuid7()):
            with pytest.raises(NotFound) as missing:
                await users.update_member(admin, user_id, role=Role.REP, now=NOW)
            assert missing.value.field == ("id",)
        with pytest.raises(NotFound) as missing:
            await users.update_member(admin, admin.user_id, team_id=(await factories.team(stranger)).id, now=NOW)
        assert missing.value.field == ("teamId",)

    @pytest.mark.parametrize("change", [{"role": Role.MANAGER}, {"active": False}])
    async def test_the_last_active_admin_stays(self, db: str, change: dict[str, Any]) -> None:
        admin = await factories.member()
        await factories.member(of=admin, active=False)
        await factories.partner("user:write", of=admin, role=Role.ADMIN)
        assert admin.user_id

        with pytest.raises(LastAdmin):
            await users.update_member(admin, admin.user_id, now=NOW, **change)

        second = await factories.member(of=admin)
        assert second.user_id
        await users.update_member(second, admin.user_id, now=NOW, **change)
        with pytest.raises(LastAdmin):
            await users.update_member(second, second.user_id, now=NOW, **change)

    @pytest.mark.parametrize("attempt", range(8))
    async def test_two_last_admins_who_deactivate_each_other_at_once_leave_one(self, db: str, attempt: int) -> None:
        one = await factories.member()
        two = await factories.member(of=one)
        assert one.user_id and two.user_id

        outcomes = await asyncio.gather(
            users.update_member(one, two.user_id, active=False, now=NOW),
            users.update_member(two, one.user_id, active=False, now=NOW),
            return_exceptions=True,
        )

        assert [type(outcome) for outcome in outcomes].count(LastAdmin) == 1
        assert await Membership.filter(workspace_id=one.workspace_id, active=True).count() == 1

    async def test_a_member_who_comes_back_signs_in_anew(self, db: str) -> None:
        admin = await factories.member()
        rep = await factories.member(Role.REP, of=admin)
        token = (await factories.session(rep)).access_token
        assert rep.user_id

        await users.update_member(admin, rep.user_id, active=False, now=NOW)
        await users.update_member(admin, rep.user_id, active=True, now=NOW)

        with pytest.raises(Unauthenticated):
            await users.load_actor(token, now=NOW)
        assert await loaded(rep)

    async def test_their_session_in_another_workspace_goes_on(self, db: str) -> None:
        admin = await factories.member()
        rep = await factories.member(Role.REP, of=admin)
        abroad = await factories.member(person=await User.get(id=rep.user_id))
        token = (await factories.session(abroad)).access_token
        assert rep.user_id

        await users.update_member(admin, rep.user_id, active=False, now=NOW)

        assert await users.load_actor(token, now=NOW)

    async def test_an_imported_owner_can_be_given_an_email_and_who_signs_in_cannot(self, db: str) -> None:
        admin = await factories.member()
        imported = await factories.member(Role.REP, of=admin, active=False)
        taken = (await User.get(id=admin.user_id)).email
        assert imported.user_id
        await User.filter(id=imported.user_id).update(email=None, email_normalised=None)
        email = f"Elease.{uuid7()}@Example.com"

        with pytest.raises(AlreadyExists):
            await users.update_member(admin, imported.user_id, email=taken, now=NOW)
        row = await users.update_member(admin, imported.user_id, name="Elease", email=email, now=NOW)

        assert (row.email, row.email_normalised, row.name) == (email, email.lower(), "Elease")
        await factories.password_of(imported)
        changes: list[dict[str, Any]] = [{"name": "Eve"}, {"email": "eve@example.com"}]
        for change in changes:
            with pytest.raises(OwnAccount):
                await users.update_member(admin, imported.user_id, now=NOW, **change)

    async def test_a_stale_edit_is_refused(self, db: str) -> None:
        admin = await factories.member()
        assert admin.user_id
        with pytest.raises(Stale):
            await users.update_member(admin, admin.user_id, team_id=None, expected_version=7, now=NOW)


async def test_memberships_are_the_active_ones_with_their_workspaces(db: str) -> None:
    here = await factories.member()
    person = await User.get(id=here.user_id)
    there = await factories.member(Role.REP, of=await factories.workspace(name="Globex"), person=person)
    await factories.member(person=person, active=False)

    mine = await users.memberships(here)

    assert {row.workspace_id for row in mine} == {here.workspace_id, there.workspace_id}
    assert {row.workspace.name for row in mine} == {"Acme", "Globex"}  # type: ignore[attr-defined]


async def test_a_keys_membership_is_that_of_its_workspace(db: str) -> None:
    partner = await factories.partner("lead:read", of=await factories.workspace())

    assert [row.workspace_id for row in await users.memberships(partner)] == [partner.workspace_id]
