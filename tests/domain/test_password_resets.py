"""A forgotten password, and nobody the wiser about who has an account."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import password_resets, sessions, tokens, users
from domain.actors import Actor
from domain.errors import RateLimited, Unauthenticated
from domain.passwords import PasswordTooShort
from domain.sessions import WrongCredentials
from domain.sign_in_attempts import ALLOWED, Limit
from domain.tokens import EndedLink, InvalidLink, Kind
from models.base import uuid7
from models.events import Event
from models.sessions import PasswordReset
from models.users import User
from tests import factories
from tests.factories import NOW

NEW = "nine green lamps"


async def email_of(actor: Actor) -> str:
    return (await User.get(id=actor.user_id)).email or ""


async def asked_for(actor: Actor) -> str:
    await password_resets.request(email=await email_of(actor), now=NOW)
    event = (await factories.events(actor.user_id))[-1]
    assert event.name == "user.password_reset_requested"
    return tokens.sign(Kind.PASSWORD_RESET, UUID(event.data["password_reset"]))


async def member_with_password() -> Actor:
    actor = await factories.member()
    await factories.password_of(actor)
    return actor


async def test_the_link_sets_a_new_password_and_ends_every_session(db: str) -> None:
    me = await member_with_password()
    before = await factories.session(me)

    await password_resets.use(await asked_for(me), password=NEW, now=NOW)

    with pytest.raises(Unauthenticated):
        await users.load_actor(before.access_token, now=NOW)
    with pytest.raises(WrongCredentials):
        await sessions.sign_in(email=await email_of(me), password=factories.PASSWORD, now=NOW)
    assert await sessions.sign_in(email=await email_of(me), password=NEW, now=NOW)
    assert await Event.filter(subject_id=me.user_id, name="user.password_reset").count() == 1


async def test_the_mail_is_of_the_newest_workspace(db: str) -> None:
    me = await member_with_password()
    newer = await factories.member(person=await User.get(id=me.user_id))

    await password_resets.request(email=await email_of(me), now=NOW)

    event = await Event.get(subject_id=me.user_id, name="user.password_reset_requested")
    assert event.workspace_id == newer.workspace_id


async def test_every_address_is_answered_the_same_and_only_accounts_get_a_link(db: str) -> None:
    known, without, inactive = (
        await member_with_password(),
        await factories.member(),
        await factories.member(active=False),
    )
    await factories.password_of(inactive)
    before = await PasswordReset.all().count()
    addresses = [await email_of(actor) for actor in (known, without, inactive)]
    odd = ["nobody@example.com", "no address", "", "\ud800", "\x00@example.com"]

    answers = [await password_resets.request(email=email, now=NOW) for email in addresses + odd]  # type: ignore[func-returns-value]

    assert set(answers) == {None}
    assert await PasswordReset.all().count() == before + 1


async def test_requests_are_limited_whether_there_is_an_account_or_not(db: str) -> None:
    for email in (await email_of(await member_with_password()), f"{uuid7()}@example.com"):
        for _ in range(ALLOWED[Limit.RESET_ACCOUNT][0]):
            await password_resets.request(email=email, now=NOW)
        with pytest.raises(RateLimited):
            await password_resets.request(email=email, now=NOW)


async def test_a_link_serves_once_even_at_once(db: str) -> None:
    me = await member_with_password()
    token = await asked_for(me)

    outcomes = await asyncio.gather(
        *(password_resets.use(token, password=NEW, now=NOW) for _ in range(2)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(EndedLink) == 1
    with pytest.raises(EndedLink):
        await password_resets.use(token, password=NEW, now=NOW)


async def test_using_one_link_ends_the_others(db: str) -> None:
    me = await member_with_password()
    first, second = await asked_for(me), await asked_for(me)
    assert first != second

    await password_resets.use(second, password=NEW, now=NOW)

    with pytest.raises(EndedLink):
        await password_resets.use(first, password="another password", now=NOW)


async def test_a_link_says_whose_it_is_and_serves_afterwards(db: str) -> None:
    me = await member_with_password()
    token = await asked_for(me)

    assert (await password_resets.opened(token, now=NOW)).id == me.user_id
    await password_resets.use(token, password=NEW, now=NOW)

    with pytest.raises(EndedLink):
        await password_resets.opened(token, now=NOW)


async def test_a_link_is_old_after_an_hour(db: str) -> None:
    token = await asked_for(await member_with_password())
    with pytest.raises(EndedLink):
        await password_resets.use(token, password=NEW, now=NOW + timedelta(hours=1))


async def test_a_forged_link_is_invalid(db: str) -> None:
    for token in ("", "x" * 64, tokens.sign(Kind.INVITATION, uuid7()), tokens.sign(Kind.PASSWORD_RESET, uuid7())):
        with pytest.raises(InvalidLink):
            await password_resets.use(token, password=NEW, now=NOW)


async def test_a_poor_password_is_refused_and_the_link_still_serves(db: str) -> None:
    token = await asked_for(await member_with_password())
    with pytest.raises(PasswordTooShort):
        await password_resets.use(token, password="short", now=NOW)
    assert await password_resets.use(token, password=NEW, now=NOW)


async def test_it_opens_an_account_that_guesses_had_closed(db: str) -> None:
    me = await member_with_password()
    for _ in range(ALLOWED[Limit.SIGN_IN_ACCOUNT][0]):
        with pytest.raises(WrongCredentials):
            await sessions.sign_in(email=await email_of(me), password="wrong password", now=NOW)

    await password_resets.use(await asked_for(me), password=NEW, now=NOW)

    assert await sessions.sign_in(email=await email_of(me), password=NEW, now=NOW)
