"""Signing in, staying signed in, and being thrown out."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from argon2 import PasswordHasher

from domain import sessions, tokens, users
from domain.actors import Actor
from domain.errors import Forbidden, NotFound, RateLimited, TokenExpired, Unauthenticated
from domain.sessions import NoActiveMembership, SessionEnded, SignedIn, WrongCredentials
from domain.sign_in_attempts import ALLOWED, Limit
from models.base import uuid7
from models.sessions import Session
from models.users import Membership, Role, User
from tests import factories
from tests.factories import NOW
from tests.keys import NEW, OLD, server_with

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


async def email_of(actor: Actor) -> str:
    return (await User.get(id=actor.user_id)).email or ""


async def sign_in(actor: Actor, password: str, **more: Any) -> SignedIn:
    return await sessions.sign_in(email=await email_of(actor), password=password, **{"now": NOW, **more})


async def names_of(actor: Actor) -> list[str]:
    return [event.name for event in await factories.events(actor.user_id)]


async def test_an_email_and_its_password_sign_in(db: str) -> None:
    rep = await factories.member(Role.REP)
    password = await factories.password_of(rep)

    signed_in = await sessions.sign_in(
        email=(await email_of(rep)).upper(), password=password, user_agent="Firefox", now=NOW
    )

    actor = await users.load_actor(signed_in.access_token, now=NOW)
    assert (actor.user_id, actor.workspace_id, actor.role) == (rep.user_id, rep.workspace_id, Role.REP)
    assert actor.session_id == signed_in.session.id
    assert signed_in.expires_at == NOW + 15 * MINUTE
    assert signed_in.session.user_agent == "Firefox"
    assert await names_of(rep) == ["user.signed_in"]


async def test_refresh_tokens_are_kept_hashed(db: str) -> None:
    signed_in = await factories.session(await factories.member())

    row = await Session.get(id=signed_in.session.id)

    assert signed_in.refresh_token not in (row.token_hash, row.previous_hash)
    assert len(row.token_hash) == 64


async def test_a_wrong_password_and_an_unknown_address_look_the_same(db: str) -> None:
    rep, owner = await factories.member(), await factories.member()
    await factories.password_of(rep)
    refusals = []
    for email in (
        await email_of(rep),
        await email_of(owner),
        "nobody@example.com",
        "no address",
        "\x00@example.com",
        "",
        "\ud800",
    ):
        with pytest.raises(WrongCredentials) as refused:
            await sessions.sign_in(email=email, password="another password", now=NOW)
        refusals.append((refused.value.message, refused.value.field))

    assert len(set(refusals)) == 1


async def test_a_service_user_has_no_password_to_sign_in_with(db: str) -> None:
    partner = await factories.partner("lead:read", of=await factories.workspace())
    password = await factories.password_of(partner)
    await User.filter(id=partner.user_id).update(email="bot@example.com", email_normalised="bot@example.com")

    with pytest.raises(WrongCredentials):
        await sessions.sign_in(email="bot@example.com", password=password, now=NOW)


async def test_inactive_members_cannot_sign_in(db: str) -> None:
    rep = await factories.member(active=False)
    password = await factories.password_of(rep)

    with pytest.raises(NoActiveMembership):
        await sign_in(rep, password)


async def test_an_old_hash_is_made_anew_at_sign_in(db: str) -> None:
    rep = await factories.member()
    old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("seven red bicycles")
    await User.filter(id=rep.user_id).update(password_hash=old)

    await sign_in(rep, "seven red bicycles")

    renewed = (await User.get(id=rep.user_id)).password_hash
    assert renewed and renewed != old
    assert await sign_in(rep, "seven red bicycles")


async def test_sign_in_leads_to_the_workspace_of_last_time_or_the_one_named(db: str) -> None:
    first = await factories.member()
    person = await User.get(id=first.user_id)
    second = await factories.member(Role.REP, person=person)
    password = await factories.password_of(first)

    assert (await sign_in(first, password)).session.workspace_id == first.workspace_id
    named = await sign_in(first, password, workspace_id=second.workspace_id, now=NOW + SECOND)
    assert named.session.workspace_id == second.workspace_id
    again = await sign_in(first, password, now=NOW + 2 * SECOND)
    assert again.session.workspace_id == second.workspace_id
    await Membership.filter(user_id=person.id, workspace_id=second.workspace_id).update(active=False)
    assert (await sign_in(first, password, now=NOW + MINUTE)).session.workspace_id == first.workspace_id
    with pytest.raises(NotFound):
        await sign_in(first, password, workspace_id=uuid7())


async def test_a_password_changed_while_it_was_compared_signs_nobody_in(
    db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rep = await factories.member()
    password = await factories.password_of(rep)
    checked = sessions.checked_credentials

    async def slowly(**arguments: Any) -> User:
        user = await checked(**arguments)
        await User.filter(id=rep.user_id).update(password_hash="another")
        return user

    monkeypatch.setattr(sessions, "checked_credentials", slowly)

    with pytest.raises(WrongCredentials):
        await sign_in(rep, password)
    assert not await Session.filter(user_id=rep.user_id).exists()


class TestLimits:
    async def test_an_account_is_tried_ten_times_a_quarter_of_an_hour(self, db: str) -> None:
        rep = await factories.member()
        password = await factories.password_of(rep)
        most, window = ALLOWED[Limit.SIGN_IN_ACCOUNT]
        for _ in range(most):
            with pytest.raises(WrongCredentials):
                await sign_in(rep, "wrong password")

        with pytest.raises(RateLimited) as limited:
            await sign_in(rep, password, now=NOW + 5 * MINUTE)

        assert limited.value.facts["seconds"] == 600
        assert await sign_in(rep, password, now=NOW + window)

    async def test_an_account_that_does_not_exist_is_limited_alike(self, db: str) -> None:
        email = f"{uuid7()}@example.com"
        for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0]):
            with pytest.raises(WrongCredentials):
                await sessions.sign_in(email=email, password="wrong password", now=NOW)

        with pytest.raises(RateLimited):
            await sessions.sign_in(email=email.upper(), password="wrong password", now=NOW)

    async def test_a_success_forgives_the_failures_before(self, db: str) -> None:
        rep = await factories.member()
        password = await factories.password_of(rep)
        for _ in range(2):
            for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0] - 1):
                with pytest.raises(WrongCredentials):
                    await sign_in(rep, "wrong password")
            assert await sign_in(rep, password)

    async def test_guesses_at_once_are_all_counted(self, db: str) -> None:
        rep = await factories.member()
        await factories.password_of(rep)
        most = ALLOWED[Limit.SIGN_IN_ACCOUNT][0]

        outcomes = await asyncio.gather(
            *(sign_in(rep, "wrong password") for _ in range(most + 5)), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes].count(WrongCredentials) == most
        assert [type(outcome) for outcome in outcomes].count(RateLimited) == 5

    async def test_an_address_is_limited_over_all_accounts(self, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(ALLOWED, Limit.SIGN_IN_ADDRESS, (3, 15 * MINUTE))
        rep = await factories.member()
        password, address = await factories.password_of(rep), str(uuid7())
        for number in range(3):
            with pytest.raises(WrongCredentials):
                await sessions.sign_in(
                    email=f"{number}@example.com", password="wrong password", address=address, now=NOW
                )

        with pytest.raises(RateLimited):
            await sign_in(rep, password, address=address)
        assert await sign_in(rep, password, address=f"not {address}")


class TestRefresh:
    async def test_a_refresh_token_is_exchanged_for_its_successor(self, db: str) -> None:
        rep = await factories.member()
        first = await factories.session(rep)
        later = NOW + 20 * MINUTE

        second = await sessions.refresh(first.refresh_token, now=later)

        assert second.refresh_token != first.refresh_token
        assert second.session.id == first.session.id
        assert (await users.load_actor(second.access_token, now=later)).user_id == rep.user_id
        third = await sessions.refresh(second.refresh_token, now=later + 20 * MINUTE)
        assert third.refresh_token not in (first.refresh_token, second.refresh_token)

    async def test_two_tabs_at_once_get_the_same_successor_and_both_go_on(self, db: str) -> None:
        first = await factories.session(await factories.member())

        one, two = await asyncio.gather(
            *(sessions.refresh(first.refresh_token, now=NOW + 15 * MINUTE) for _ in range(2))
        )

        assert one.refresh_token == two.refresh_token
        for tab in (one, two):
            assert await users.load_actor(tab.access_token, now=NOW + 16 * MINUTE)
        assert await sessions.refresh(two.refresh_token, now=NOW + 30 * MINUTE)

    async def test_the_token_before_is_honoured_for_thirty_seconds(self, db: str) -> None:
        first = await factories.session(await factories.member())
        second = await sessions.refresh(first.refresh_token, now=NOW)

        late = await sessions.refresh(first.refresh_token, now=NOW + 30 * SECOND)

        assert late.refresh_token == second.refresh_token

    async def test_its_use_after_thirty_seconds_ends_the_session_for_both(self, db: str) -> None:
        rep = await factories.member()
        first = await factories.session(rep)
        second = await sessions.refresh(first.refresh_token, now=NOW)

        with pytest.raises(SessionEnded):
            await sessions.refresh(first.refresh_token, now=NOW + 31 * SECOND)

        with pytest.raises(SessionEnded):
            await sessions.refresh(second.refresh_token, now=NOW + 32 * SECOND)
        with pytest.raises(Unauthenticated):
            await users.load_actor(second.access_token, now=NOW + 32 * SECOND)
        assert "user.token_reused" in await names_of(rep)

    async def test_an_even_older_token_ends_the_session_at_once(self, db: str) -> None:
        first = await factories.session(await factories.member())
        second = await sessions.refresh(first.refresh_token, now=NOW)
        third = await sessions.refresh(second.refresh_token, now=NOW + SECOND)

        for token in (first.refresh_token, third.refresh_token):
            with pytest.raises(SessionEnded):
                await sessions.refresh(token, now=NOW + 2 * SECOND)

    async def test_other_sessions_of_the_same_person_go_on(self, db: str) -> None:
        rep = await factories.member()
        stolen, other = await factories.session(rep), await factories.session(rep)
        await sessions.refresh(stolen.refresh_token, now=NOW)
        with pytest.raises(SessionEnded):
            await sessions.refresh(stolen.refresh_token, now=NOW + MINUTE)

        assert await sessions.refresh(other.refresh_token, now=NOW + MINUTE)

    async def test_a_forged_token_ends_nobodys_session(self, db: str) -> None:
        first = await factories.session(await factories.member())
        forged = sessions._token(first.session.id, b"sixteen of these")[:-4] + "AAAA"
        for token in (forged, "", "x", "é" * 64, "A" * 64, first.refresh_token + "A", "\ud800" * 64):
            with pytest.raises(SessionEnded):
                await sessions.refresh(token, now=NOW)

        assert await sessions.refresh(first.refresh_token, now=NOW)

    async def test_a_session_that_nobody_refreshed_for_thirty_days_has_ended(self, db: str) -> None:
        first = await factories.session(await factories.member())
        second = await sessions.refresh(first.refresh_token, now=NOW + timedelta(days=29))

        with pytest.raises(SessionEnded):
            await sessions.refresh(second.refresh_token, now=NOW + timedelta(days=59))

    async def test_a_deactivated_member_cannot_refresh(self, db: str) -> None:
        rep = await factories.member()
        first = await factories.session(rep)
        await Membership.filter(user_id=rep.user_id).update(active=False)

        with pytest.raises(SessionEnded):
            await sessions.refresh(first.refresh_token, now=NOW)


class TestSignOut:
    async def test_it_ends_the_session_and_its_access_token_at_once(self, db: str) -> None:
        rep = await factories.member()
        here, elsewhere = await factories.session(rep), await factories.session(rep)

        await sessions.sign_out(await users.load_actor(here.access_token, now=NOW), now=NOW)

        with pytest.raises(Unauthenticated):
            await users.load_actor(here.access_token, now=NOW)
        with pytest.raises(SessionEnded):
            await sessions.refresh(here.refresh_token, now=NOW)
        assert await users.load_actor(elsewhere.access_token, now=NOW)

    async def test_twice_is_once(self, db: str) -> None:
        rep = await factories.member()
        actor = await users.load_actor((await factories.session(rep)).access_token, now=NOW)

        await sessions.sign_out(actor, now=NOW)
        await sessions.sign_out(actor, now=NOW)

        assert await names_of(rep) == ["user.signed_in", "user.signed_out"]

    async def test_everywhere_ends_the_sessions_of_all_workspaces_and_nobody_elses(self, db: str) -> None:
        rep, other = await factories.member(), await factories.member()
        abroad = await factories.member(person=await User.get(id=rep.user_id))
        here, there = await factories.session(rep), await factories.session(abroad)
        others = await factories.session(other)

        assert await sessions.sign_out_everywhere(rep, now=NOW) == 2

        for ended in (here, there):
            with pytest.raises(Unauthenticated):
                await users.load_actor(ended.access_token, now=NOW)
        assert await users.load_actor(others.access_token, now=NOW)


class TestSwitchWorkspace:
    async def test_it_begins_a_session_there_and_the_one_here_goes_on(self, db: str) -> None:
        here = await factories.member()
        there = await factories.member(Role.VIEWER, person=await User.get(id=here.user_id))
        present = await factories.session(here)

        switched = await sessions.switch_workspace(here, there.workspace_id, now=NOW)

        actor = await users.load_actor(switched.access_token, now=NOW)
        assert (actor.workspace_id, actor.role) == (there.workspace_id, Role.VIEWER)
        assert (await users.load_actor(present.access_token, now=NOW)).workspace_id == here.workspace_id

    async def test_a_workspace_without_an_active_membership_does_not_exist(self, db: str) -> None:
        here, stranger = await factories.member(), await factories.member()
        left = await factories.member(person=await User.get(id=here.user_id), active=False)
        for workspace_id in (stranger.workspace_id, left.workspace_id, uuid7()):
            with pytest.raises(NotFound):
                await sessions.switch_workspace(here, workspace_id, now=NOW)

    async def test_a_key_cannot_switch(self, db: str) -> None:
        partner = await factories.partner("lead:read", of=await factories.workspace())
        with pytest.raises(Forbidden):
            await sessions.switch_workspace(partner, partner.workspace_id, now=NOW)


class TestAccessTokens:
    async def test_one_expires_after_fifteen_minutes(self, db: str) -> None:
        token = (await factories.session(await factories.member())).access_token

        assert await users.load_actor(token, now=NOW + 15 * MINUTE - SECOND)
        with pytest.raises(TokenExpired):
            await users.load_actor(token, now=NOW + 15 * MINUTE)

    def claims(self, **changed: Any) -> dict[str, Any]:
        key = str(UUID(int=7))
        ends = int((NOW + MINUTE).timestamp())
        return {"sub": key, "sid": key, "wid": key, "exp": ends} | changed

    async def test_anything_that_is_none_of_ours_is_refused(self, db: str) -> None:
        secret = tokens.secret("access")
        without = self.claims()
        del without["sid"]
        for token in (
            "",
            "x",
            "a.b.c",
            "é.é.é",
            "\ud800",
            "sck_",
            "sck_\ud800",
            "sck_" + "x" * 10_000,
            jwt.encode(self.claims(), "another key of thirty-two characters", algorithm="HS256"),
            jwt.encode(self.claims(), secret, algorithm="HS384"),
            jwt.encode(self.claims(), "", algorithm="none"),
            jwt.encode(self.claims(sub="no id"), secret, algorithm="HS256"),
            jwt.encode(self.claims(sid=7), secret, algorithm="HS256"),
            jwt.encode(self.claims(exp="tomorrow"), secret, algorithm="HS256"),
            jwt.encode(self.claims(exp=10**30), secret, algorithm="HS256"),
            jwt.encode(without, secret, algorithm="HS256"),
            jwt.encode(self.claims(), secret, algorithm="HS256"),
        ):
            with pytest.raises(Unauthenticated):
                await users.load_actor(token, now=NOW)


class TestKeysThatChange:
    async def test_who_is_signed_in_stays_so(self, db: str) -> None:
        with server_with(key=OLD):
            before = await factories.session(await factories.member())

        with server_with(key=NEW, previous=OLD):
            assert await users.load_actor(before.access_token, now=NOW)
            after = await sessions.refresh(before.refresh_token, now=NOW)

        with server_with(key=NEW):
            assert await users.load_actor(after.access_token, now=NOW)
            assert await sessions.refresh(after.refresh_token, now=NOW)
            with pytest.raises(Unauthenticated):
                await users.load_actor(before.access_token, now=NOW)
            with pytest.raises(SessionEnded):
                await sessions.refresh(before.refresh_token, now=NOW)

    async def test_two_tabs_are_given_the_same_token_by_servers_of_different_keys(self, db: str) -> None:
        old, new = {"key": OLD, "previous": NEW}, {"key": NEW, "previous": OLD}
        for first, second in ((old, new), (new, old)):
            with server_with(key=OLD):
                begun = await factories.session(await factories.member())
            with server_with(**first):
                one = await sessions.refresh(begun.refresh_token, now=NOW)
            with server_with(**second):
                other = await sessions.refresh(begun.refresh_token, now=NOW + SECOND)
                assert other.refresh_token == one.refresh_token
                assert await sessions.refresh(other.refresh_token, now=NOW + MINUTE)

    async def test_a_token_of_a_key_before_still_expires(self, db: str) -> None:
        with server_with(key=OLD):
            token = (await factories.session(await factories.member())).access_token
        with server_with(key=NEW, previous=OLD), pytest.raises(TokenExpired):
            await users.load_actor(token, now=NOW + 15 * MINUTE)


async def test_what_ended_long_ago_is_forgotten(db: str) -> None:
    rep = await factories.member()
    old, ended, live = [await factories.session(rep) for _ in range(3)]
    await Session.filter(id=old.session.id).update(expires_at=NOW - timedelta(days=31))
    await Session.filter(id=ended.session.id).update(revoked_at=NOW - timedelta(days=31))

    await sessions.forget(now=NOW)

    assert await Session.filter(user_id=rep.user_id).values_list("id", flat=True) == [live.session.id]
