"""Browsers and phones that show what their owner is reminded of: registered by them, ended by them or by their service.

What a device is reached at is one person's at a time, in whichever workspaces they are: who signs in on it next takes
it over.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from domain import inputs, policy
from domain.actors import Actor, ActorKind, system
from domain.errors import DomainError, Faults, Forbidden, Malformed, Required, TooLong
from domain.events import Event, changes, record
from domain.policy import Action
from models.base import uuid7
from models.database import read, transaction
from models.postgres import connected
from models.reminders import Device, DeviceEnd, DevicePlatform
from settings import settings

MOST_DEVICES = 20
LONGEST_ADDRESS = 2_000
AUTH_BYTES = 16
FCM_TOKEN = re.compile(r"[\x21-\x7e]+")
APNS_TOKEN = re.compile(r"(?:[0-9a-f]{2}){16,100}")
TASK = "devices"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7256))"
OF_ADDRESS = """
SELECT id, workspace_id, user_id FROM device
WHERE md5(address) = md5($1) AND address = $1 AND platform = $2 AND ended_at IS NULL ORDER BY id FOR UPDATE
"""
END = """
UPDATE device SET ended_at = $2, end_reason = $3, updated_at = $2 WHERE id = ANY($1) AND ended_at IS NULL
RETURNING id, workspace_id, user_id
"""
OF_SESSIONS = """
SELECT d.id FROM device d JOIN session s ON s.id = d.session_id
WHERE d.user_id = $1 AND d.ended_at IS NULL AND s.revoked_at IS NOT NULL
"""


class DeviceRegistered(Event):
    name = "device.registered"


class DeviceEnded(Event):
    name = "device.ended"


class EndpointRefused(DomainError):
    """{field} must be the https address that a browser's push service gave."""


async def register(
    actor: Actor,
    *,
    platform: DevicePlatform,
    address: str,
    p256dh: str | None = None,
    auth: str | None = None,
    name: str | None = None,
    now: datetime,
) -> Device:
    """Have what the actor is reminded of shown on a device; one that they registered before stays the same.

    It stops showing what others are reminded of. Beyond MOST_DEVICES the one ends that was registered longest ago.
    Raises Forbidden, and faults of the input.
    """
    user_id = _person(actor)
    policy.require(actor, Action.SET_REMINDERS)
    faults = Faults()
    address = _checked_address(faults, platform, address)
    keys = _checked_keys(faults, platform, p256dh, auth)
    columns: dict[str, Any] = {**keys, "session_id": actor.session_id}
    columns["name"] = inputs.text(faults, name, field="name", limit=inputs.NAME_LIMIT)
    faults.raise_any()
    async with transaction():
        await connected().fetch(LOCK, [f"{platform}:{address}"])
        known = await connected().fetch(OF_ADDRESS, [address, platform])
        await _end([row["id"] for row in known if row["user_id"] != user_id], DeviceEnd.MOVED, now=now)
        mine = [row["id"] for row in known if (row["user_id"], row["workspace_id"]) == (user_id, actor.workspace_id)]
        if mine:
            return await _again(actor, mine[0], columns, now=now)
        await _make_room(actor, user_id, now=now)
        device = await Device.create(
            id=uuid7(),
            workspace_id=actor.workspace_id,
            user_id=user_id,
            platform=platform,
            address=address,
            created_at=now,
            updated_at=now,
            **columns,
        )
        await record(DeviceRegistered(actor, device.id, {"user_id": user_id, "platform": platform}), now=now)
    return device


async def _again(actor: Actor, device_id: UUID, columns: Mapping[str, object], *, now: datetime) -> Device:
    device = await Device.get(id=device_id, workspace_id=actor.workspace_id)
    changed = changes({name: getattr(device, name) for name in columns}, dict(columns))
    device.update_from_dict({**columns, "updated_at": now})
    await device.save(update_fields=[*columns, "updated_at"])
    if changed:
        facts = {"user_id": device.user_id, "platform": device.platform, "changed": sorted(changed)}
        await record(DeviceRegistered(actor, device.id, facts), now=now)
    return device


async def _make_room(actor: Actor, user_id: UUID, *, now: datetime) -> None:
    live = Device.filter(workspace_id=actor.workspace_id, user_id=user_id, ended_at=None)
    known = await live.order_by("-updated_at", "-id")
    await _end([row.id for row in known[MOST_DEVICES - 1 :]], DeviceEnd.REPLACED, now=now)


async def unregister(actor: Actor, device_id: UUID, *, now: datetime) -> Device:
    """Have a device of the actor's show nothing more; one that has ended stays so. Raises Forbidden, NotFound."""
    policy.require(actor, Action.SET_REMINDERS)
    async with transaction():
        device = await policy.locked(actor, Device, device_id)
        await _end([device.id], DeviceEnd.UNREGISTERED, now=now)
        await device.refresh_from_db()
    return device


async def end_of_sessions(user_id: UUID, *, now: datetime) -> None:
    """End the devices of those sessions of a user that were ended, within the running transaction."""
    found = await read(OF_SESSIONS, user_id)
    await _end([row["id"] for row in found], DeviceEnd.SIGNED_OUT, now=now)


async def gone(device_ids: Sequence[UUID], *, now: datetime) -> None:
    """End devices that their push service knows no more."""
    async with transaction():
        await _end(device_ids, DeviceEnd.GONE, now=now)


async def _end(device_ids: Sequence[UUID], reason: DeviceEnd, *, now: datetime) -> None:
    if not device_ids:
        return
    for row in await connected().fetch(END, [list(device_ids), now, reason]):
        by = system(row["workspace_id"], task=TASK)
        await record(DeviceEnded(by, row["id"], {"user_id": row["user_id"], "reason": reason}), now=now)


def _person(actor: Actor) -> UUID:
    if actor.kind is not ActorKind.USER or actor.user_id is None:
        raise Forbidden(action="only people have devices")
    return actor.user_id


def _checked_address(faults: Faults, platform: DevicePlatform, address: str) -> str:
    field = "endpoint" if platform is DevicePlatform.WEB else "token"
    kept = address.strip()
    if not kept:
        faults.add(Required(field=field))
    elif len(kept) > LONGEST_ADDRESS:
        faults.add(TooLong(field=field, length=len(kept), limit=LONGEST_ADDRESS))
    elif platform is DevicePlatform.WEB:
        if not _is_endpoint(kept):
            faults.add(EndpointRefused(field=field))
    elif platform is DevicePlatform.APNS:
        kept = kept.lower()
        if not APNS_TOKEN.fullmatch(kept):
            faults.add(Malformed(field=field, what="a device token of Apple's, in hexadecimal digits"))
    elif not FCM_TOKEN.fullmatch(kept):
        faults.add(Malformed(field=field, what="a registration token of Firebase's"))
    return kept


def _is_endpoint(address: str) -> bool:
    """Say whether an address may be a browser's; whether it is on the public internet is seen when it is called."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not address.isascii() or any(character.isspace() for character in address) or parts.fragment:
        return False
    if any(address.startswith(f"{origin.rstrip('/')}/") for origin in settings().trusted_push_origins):
        return True
    named = host is not None and "." in host and not re.fullmatch(r"[0-9.]+", host)
    return parts.scheme == "https" and named and parts.username is None and port in (None, 443)


def _checked_keys(
    faults: Faults, platform: DevicePlatform, p256dh: str | None, auth: str | None
) -> dict[str, str | None]:
    if platform is not DevicePlatform.WEB:
        return {"p256dh": None, "auth": None}
    kept = {"p256dh": p256dh, "auth": auth}
    for name, value in kept.items():
        if not value:
            faults.add(Required(field=name))
        elif not (_is_point if name == "p256dh" else _is_secret)(_decoded(value)):
            faults.add(Malformed(field=name, what="a key of a browser's subscription, as base64url"))
    return {name: value and value.rstrip("=").replace("+", "-").replace("/", "_") for name, value in kept.items()}


def _decoded(value: str) -> bytes:
    try:
        text = value.rstrip("=").replace("+", "-").replace("/", "_")
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _is_point(raw: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return len(raw) == 65


def _is_secret(raw: bytes) -> bool:
    return len(raw) == AUTH_BYTES
