"""How people come into a workspace."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import invitations, sessions, tokens, users
from domain.actors import Actor
from domain.errors import AlreadyExists, Forbidden, Invalid, Malformed, NotFound, Required
from domain.sessions import SignedIn, WrongCredentials
from domain.tokens import EndedLink, InvalidLink, Kind
from models.base import uuid7
from models.events import Event
from models.sessions import Invitation, Session
from models.teams import Team
from models.users import Membership, Role, User
from tests import factories
from tests.factories import NOW

PASSWORD = "seven red bicycles"


def address() -> str:
    return f"{uuid7()}@example.com"


def link(invitation: Invitation) -> str:
    return tokens.sign(Kind.INVITATION, invitation.id)


async def accept(invitation: Invitation, **more: Any) -> SignedIn:
    return await invitations.accept(link(invitation), **{"name": "Ada", "password": PASSWORD, "now": NOW, **more})


async def place_of(actor: Actor, user_id: UUID) -> Membership:
    return await Membership.get(workspace_id=actor.workspace_id, user_id=user_id)


class TestInvite:
    async def test_an_address_is_invited_to_a_role_and_a_team(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        email = f"Ada.{address()}"

        row = await invitations.invite(admin, email=email, role=Role.MANAGER, team_id=team.id, now=NOW)

        assert (row.email, row.email_normalised, row.expires_at) == (email, email.lower(), NOW + timedelta(days=14))
        event = await Event.get(subject_id=row.id)
        assert (event.name, event.data["email"]) == ("user.invited", email)
        assert link(row) not in str(event.data)

    async def test_a_second_invitation_renews_the_first_and_is_sent_again(self, db: str) -> None:
        admin = await factories.member()
        email = address()
        first = await invitations.invite(admin, email=email, now=NOW)

        second = await invitations.invite(admin, email=email.upper(), role=Role.VIEWER, now=NOW + timedelta(days=9))

        assert (second.id, second.role) == (first.id, Role.VIEWER)
        assert second.expires_at == NOW + timedelta(days=23)
        assert await Event.filter(subject_id=first.id, name="user.invited").count() == 2

    async def test_a_second_invitation_keeps_what_it_does_not_say(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        email = address()
        await invitations.invite(admin, email=email, role=Role.MANAGER, team_id=team.id, now=NOW)

        silent = await invitations.invite(admin, email=email, now=NOW)
        assert (silent.role, silent.team_id) == (Role.MANAGER, team.id)
        event = (await factories.events(silent.id))[-1]
        assert (event.data["role"], event.data["team_id"]) == ("MANAGER", str(team.id))

        teamless = await invitations.invite(admin, email=email, team_id=None, now=NOW)
        assert (teamless.role, teamless.team_id) == (Role.MANAGER, None)

    async def test_who_is_invited_without_a_word_becomes_a_rep(self, db: str) -> None:
        row = await invitations.invite(await factories.member(), email=address(), now=NOW)
        assert (row.role, row.team_id) == (Role.REP, None)

    async def test_two_invitations_at_once_are_one(self, db: str) -> None:
        admin = await factories.member()
        email = address()
        one, two = await asyncio.gather(*(invitations.invite(admin, email=email, now=NOW) for _ in range(2)))
        assert one.id == two.id

    async def test_an_active_member_is_not_invited(self, db: str) -> None:
        admin = await factories.member()
        email = (await User.get(id=admin.user_id)).email or ""
        with pytest.raises(AlreadyExists):
            await invitations.invite(admin, email=email, now=NOW)

    @pytest.mark.parametrize(("email", "error"), [("", Required), ("nobody", Malformed), ("a@b@c", Malformed)])
    async def test_what_is_no_address_is_not_invited(self, db: str, email: str, error: type[Exception]) -> None:
        with pytest.raises(error):
            await invitations.invite(await factories.member(), email=email, now=NOW)

    async def test_only_admins_may_and_only_to_their_own_teams(self, db: str) -> None:
        admin, stranger = await factories.member(), await factories.member()
        row = await invitations.invite(admin, email=address(), now=NOW)
        for role in set(Role) - {Role.ADMIN}:
            me = await factories.member(role, of=admin)
            with pytest.raises(Forbidden):
                await invitations.invite(me, email=address(), now=NOW)
            with pytest.raises(Forbidden):
                await invitations.revoke(me, row.id, now=NOW)
        with pytest.raises(NotFound):
            await invitations.invite(admin, email=address(), team_id=(await factories.team(stranger)).id, now=NOW)
        with pytest.raises(NotFound):
            await invitations.revoke(stranger, row.id, now=NOW)


class TestAccept:
    async def test_somebody_new_gets_an_account_a_place_and_a_session(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        email = address()
        row = await invitations.invite(admin, email=email, role=Role.MANAGER, team_id=team.id, now=NOW)

        signed_in = await accept(row)

        actor = await users.load_actor(signed_in.access_token, now=NOW)
        place = await place_of(admin, signed_in.session.user_id)
        assert (actor.workspace_id, actor.role) == (admin.workspace_id, Role.MANAGER)
        assert (place.team_id, place.active) == (team.id, True)
        assert await sessions.sign_in(email=email, password=PASSWORD, now=NOW)
        assert await Event.filter(subject_id=actor.user_id, name="user.joined").count() == 1

    async def test_who_joins_without_signing_in_gets_no_session(self, db: str) -> None:
        admin = await factories.member()
        row = await invitations.invite(admin, email=address(), role=Role.MANAGER, now=NOW)

        membership = await invitations.join(link(row), name="Ada", password=PASSWORD, now=NOW)

        assert (membership.workspace_id, membership.role) == (admin.workspace_id, Role.MANAGER)
        assert not await Session.filter(user_id=membership.user_id).exists()
        assert [event.name for event in await factories.events(membership.user_id)] == ["user.joined"]
        with pytest.raises(EndedLink):
            await invitations.join(link(row), name="Ada", password=PASSWORD, now=NOW)

    async def test_who_holds_the_link_knows_what_it_is_about(self, db: str) -> None:
        admin, other = await factories.member(name="Grace"), await factories.member(name="Ada")
        await factories.password_of(other)
        known = await invitations.invite(admin, email=(await User.get(id=other.user_id)).email or "", now=NOW)
        unknown = await invitations.invite(admin, email=address(), now=NOW)

        told = [await invitations.opened(link(row), now=NOW) for row in (known, unknown)]

        assert [(one.workspace, one.inviter, one.role) for one in told] == [("Acme", "Grace", Role.REP)] * 2
        assert [(one.name, one.has_account) for one in told] == [("Ada", True), ("", False)]
        with pytest.raises(EndedLink):
            await invitations.opened(link(known), now=NOW + timedelta(days=14))

    async def test_somebody_of_another_workspace_gives_their_password(self, db: str) -> None:
        admin, other = await factories.member(), await factories.member()
        password = await factories.password_of(other)
        person = await User.get(id=other.user_id)
        row = await invitations.invite(admin, email=person.email or "", role=Role.VIEWER, now=NOW)

        with pytest.raises(Required):
            await accept(row, password=None)
        with pytest.raises(WrongCredentials):
            await accept(row, password="another password")
        signed_in = await accept(row, password=password, name="Somebody else")

        assert (signed_in.session.user_id, signed_in.session.workspace_id) == (person.id, admin.workspace_id)
        assert (await User.get(id=person.id)).name == person.name
        assert await place_of(other, person.id)

    async def test_who_is_signed_in_needs_no_password(self, db: str) -> None:
        admin, other, stranger = [await factories.member() for _ in range(3)]
        await factories.password_of(other)
        email = (await User.get(id=other.user_id)).email or ""
        row = await invitations.invite(admin, email=email, now=NOW)

        for not_them in (admin, stranger):
            with pytest.raises(Required):
                await accept(row, password=None, actor=not_them)
        assert (await accept(row, password=None, actor=other)).session.user_id == other.user_id

    async def test_an_imported_owner_takes_over_their_own_leads(self, db: str) -> None:
        admin = await factories.member()
        imported = await factories.member(Role.REP, of=admin, active=False, name="Elease Gluck")
        person = await User.get(id=imported.user_id)
        row = await invitations.invite(admin, email=person.email or "", role=Role.MANAGER, now=NOW)

        signed_in = await accept(row, name=None)

        place = await place_of(admin, person.id)
        assert signed_in.session.user_id == person.id
        assert (place.active, place.role) == (True, Role.MANAGER)
        assert (await User.get(id=person.id)).name == "Elease Gluck"

    async def test_two_accepts_at_once_make_one_member(self, db: str) -> None:
        admin = await factories.member()
        email = address()
        row = await invitations.invite(admin, email=email, now=NOW)

        outcomes = await asyncio.gather(accept(row), accept(row), return_exceptions=True)

        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [type(outcome) for outcome in refused] == [EndedLink]
        assert await User.filter(email_normalised=email).count() == 1
        assert await Membership.filter(workspace_id=admin.workspace_id).count() == 2

    async def test_invitations_of_two_workspaces_accepted_at_once_make_one_account(self, db: str) -> None:
        email = address()
        rows = [await invitations.invite(await factories.member(), email=email, now=NOW) for _ in range(2)]

        outcomes = await asyncio.gather(*(accept(row) for row in rows), return_exceptions=True)

        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [type(outcome) for outcome in refused] == [AlreadyExists]
        assert await User.filter(email_normalised=email).count() == 1

    async def test_a_used_revoked_or_old_link_leads_nowhere(self, db: str) -> None:
        admin = await factories.member()
        used, revoked, old = [await invitations.invite(admin, email=address(), now=NOW) for _ in range(3)]
        await accept(used)
        await invitations.revoke(admin, revoked.id, now=NOW)

        for row in (used, revoked):
            with pytest.raises(EndedLink):
                await accept(row)
        with pytest.raises(EndedLink):
            await accept(old, now=NOW + timedelta(days=14))
        with pytest.raises(EndedLink):
            await invitations.revoke(admin, used.id, now=NOW)

    async def test_a_revoked_address_can_be_invited_anew(self, db: str) -> None:
        admin = await factories.member()
        email = address()
        first = await invitations.invite(admin, email=email, now=NOW)
        await invitations.revoke(admin, first.id, now=NOW)

        second = await invitations.invite(admin, email=email, now=NOW)

        assert second.id != first.id
        assert await accept(second)

    async def test_a_forged_link_is_invalid(self, db: str) -> None:
        row = await invitations.invite(await factories.member(), email=address(), now=NOW)
        for token in ("", "x", link(row)[:-1] + "!", tokens.sign(Kind.PASSWORD_RESET, row.id)):
            with pytest.raises(InvalidLink):
                await invitations.accept(token, name="Ada", password=PASSWORD, now=NOW)
        with pytest.raises(InvalidLink):
            await invitations.accept(tokens.sign(Kind.INVITATION, uuid7()), name="Ada", password=PASSWORD, now=NOW)

    async def test_faults_are_told_together_and_the_link_still_serves(self, db: str) -> None:
        row = await invitations.invite(await factories.member(), email=address(), now=NOW)
        with pytest.raises(Invalid) as invalid:
            await accept(row, name="", password="short")
        assert {fault.field for fault in invalid.value.faults} == {("name",), ("password",)}
        assert await accept(row)

    async def test_a_team_that_is_gone_is_no_reason_to_refuse(self, db: str) -> None:
        admin = await factories.member()
        team = await factories.team(admin)
        row = await invitations.invite(admin, email=address(), team_id=team.id, now=NOW)
        await Team.filter(id=team.id).update(deleted_at=NOW)

        signed_in = await accept(row)

        assert (await place_of(admin, signed_in.session.user_id)).team_id is None
