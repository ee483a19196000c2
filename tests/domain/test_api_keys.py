"""Keys: shown once, kept hashed, narrow, and dead the moment they are revoked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import api_keys, policy, users
from domain.actors import ALL, ActorKind
from domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Required,
    TokenExpired,
    Unauthenticated,
)
from domain.policy import Action
from models.api_keys import ApiKey
from models.base import uuid7
from models.events import Event
from models.leads import Lead
from models.users import Membership, Role, User
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)


async def test_a_key_acts_as_a_service_user_of_its_name_within_its_scopes(db: str) -> None:
    admin = await factories.member()

    made = await api_keys.create(admin, name="Web shop", scopes=["lead:write", "lead:read"], now=NOW)

    actor = await users.load_actor(made.secret, now=NOW)
    user = await User.get(id=actor.user_id)
    assert (actor.kind, actor.workspace_id, actor.key_id) == (ActorKind.API_KEY, admin.workspace_id, made.row.id)
    assert (actor.role, actor.rows, actor.scopes) == (Role.QUALIFIER, ALL, frozenset({"lead:read", "lead:write"}))
    assert (user.name, user.is_service) == ("Web shop", True)
    assert user.email is None and user.password_hash is None
    assert policy.may(actor, Action.CAPTURE_LEAD)
    assert not policy.may(actor, Action.CREATE_COMPANY)
    assert policy.scope(actor, Lead) == ALL


async def test_the_secret_is_kept_nowhere(db: str) -> None:
    admin = await factories.member()

    made = await api_keys.create(admin, name="Web shop", scopes=["lead:read"], now=NOW)

    row = await ApiKey.get(id=made.row.id)
    event = await Event.get(subject_id=row.id)
    assert made.secret.startswith("sck_") and len(made.secret) == 47
    assert made.secret.startswith(row.prefix) and len(row.prefix) == 12
    assert made.secret not in (row.key_hash, str(event.data))
    assert event.name == "apikey.created"


async def test_a_role_can_be_given_and_limits_the_key_like_a_person(db: str) -> None:
    admin = await factories.member()

    made = await api_keys.create(admin, name="Report", scopes=["lead:write"], role=Role.VIEWER, now=NOW)

    assert not policy.may(await users.load_actor(made.secret, now=NOW), Action.CAPTURE_LEAD)


async def test_a_second_key_of_the_same_service_user_replaces_the_first(db: str) -> None:
    admin = await factories.member()
    first = await api_keys.create(admin, name="Web shop", scopes=["lead:read"], now=NOW)
    user_id = first.row.user_id

    second = await api_keys.create(admin, name="Web shop 2", scopes=["lead:read"], service_user_id=user_id, now=NOW)
    await api_keys.revoke(admin, first.row.id, now=NOW)

    assert (await users.load_actor(second.secret, now=NOW)).user_id == user_id
    assert await User.filter(memberships__workspace_id=admin.workspace_id, is_service=True).count() == 1
    with pytest.raises(Conflict):
        await api_keys.create(admin, name="Up", scopes=["lead:read"], service_user_id=user_id, role=Role.ADMIN, now=NOW)


async def test_people_and_strangers_are_no_service_users(db: str) -> None:
    admin = await factories.member()
    foreign = await factories.partner("lead:read", of=await factories.workspace())
    for user_id in (admin.user_id, foreign.user_id, uuid7()):
        with pytest.raises(NotFound):
            await api_keys.create(admin, name="Key", scopes=["lead:read"], service_user_id=user_id, now=NOW)


async def test_a_revoked_key_stops_at_once(db: str) -> None:
    admin = await factories.member()
    made = await api_keys.create(admin, name="Web shop", scopes=["lead:read"], now=NOW)
    assert await users.load_actor(made.secret, now=NOW)

    await api_keys.revoke(admin, made.row.id, now=NOW)
    again = await api_keys.revoke(admin, made.row.id, now=NOW + MINUTE)

    with pytest.raises(Unauthenticated):
        await users.load_actor(made.secret, now=NOW)
    assert again.revoked_at == NOW
    assert await Event.filter(subject_id=made.row.id, name="apikey.revoked").count() == 1


async def test_a_deactivated_service_users_keys_stop(db: str) -> None:
    admin = await factories.member()
    made = await api_keys.create(admin, name="Web shop", scopes=["lead:read"], now=NOW)

    await users.update_member(admin, made.row.user_id, active=False, now=NOW)

    with pytest.raises(Unauthenticated):
        await users.load_actor(made.secret, now=NOW)


async def test_a_key_ends_when_it_expires(db: str) -> None:
    admin = await factories.member()
    made = await api_keys.create(admin, name="Trial", scopes=["lead:read"], expires_at=NOW + MINUTE, now=NOW)

    assert await users.load_actor(made.secret, now=NOW + MINUTE - timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        await users.load_actor(made.secret, now=NOW + MINUTE)


async def test_its_last_use_is_noted_once_a_minute(db: str) -> None:
    admin = await factories.member()
    made = await api_keys.create(admin, name="Web shop", scopes=["lead:read"], now=NOW)
    noted = []
    for seconds in (0, 59, 60):
        await users.load_actor(made.secret, now=NOW + timedelta(seconds=seconds))
        noted.append((await ApiKey.get(id=made.row.id)).last_used_at)

    assert noted == [NOW, NOW, NOW + MINUTE]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": " "}, Required),
        ({"scopes": []}, Required),
        ({"scopes": ["lead:admin"]}, api_keys.UnknownScope),
        ({"scopes": ["lead:read", "apikey:write"]}, api_keys.UnknownScope),
        ({"expires_at": NOW}, Malformed),
        ({"expires_at": datetime(2030, 1, 1)}, Malformed),  # noqa: DTZ001
        ({"name": "", "scopes": ["x", "{y}"]}, Invalid),
    ],
)
async def test_bad_input_makes_no_key(db: str, wrong: dict[str, Any], error: type[Exception]) -> None:
    admin = await factories.member()
    with pytest.raises(error):
        await api_keys.create(admin, **{"name": "Key", "scopes": ["lead:read"], "now": NOW, **wrong})
    assert not await ApiKey.filter(workspace_id=admin.workspace_id).exists()
    assert await Membership.filter(workspace_id=admin.workspace_id).count() == 1


async def test_only_admins_in_person_may(db: str) -> None:
    admin = await factories.member()
    made = await api_keys.create(admin, name="Key", scopes=["lead:read"], now=NOW)
    every = await factories.partner(*policy.API_SCOPES, of=admin, role=Role.ADMIN)
    for me in [*[await factories.member(role, of=admin) for role in set(Role) - {Role.ADMIN}], every]:
        with pytest.raises(Forbidden):
            await api_keys.create(me, name="Key", scopes=["lead:read"], now=NOW)
        with pytest.raises(Forbidden):
            await api_keys.revoke(me, made.row.id, now=NOW)


async def test_another_workspaces_key_does_not_exist(db: str) -> None:
    admin, stranger = await factories.member(), await factories.member()
    made = await api_keys.create(stranger, name="Key", scopes=["lead:read"], now=NOW)
    for key in (made.row.id, uuid7()):
        with pytest.raises(NotFound):
            await api_keys.revoke(admin, key, now=NOW)
