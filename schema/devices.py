"""Devices in the schema: the viewer's own, and the key by which browsers subscribe."""

from datetime import datetime

import strawberry

from domain import push_keys
from engine.pages import Order
from models.reminders import Device as DeviceRow
from models.reminders import DeviceEnd, DevicePlatform
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.fields import column, noun
from schema.nodes import Node

described(
    DevicePlatform,
    "By which service a device is reached.",
    WEB="A browser, by the push service of its subscription (Web Push).",
    FCM="An app, by Firebase Cloud Messaging.",
    APNS="An app, by Apple's push service.",
)
described(
    DeviceEnd,
    "Why a device shows nothing more.",
    UNREGISTERED="Its owner unregistered it.",
    SIGNED_OUT="The session that registered it was ended.",
    MOVED="Somebody else signed in on it.",
    REPLACED="Its owner has registered too many after it.",
    GONE="Its push service knows it no more.",
)


@noun(DeviceRow, description="A browser or phone that shows what the viewer is reminded of; nobody else sees it.")
class Device(Node):
    platform: DevicePlatform = column("By which service it is reached.")
    name: str | None = column("What the viewer calls it.")
    created_at: datetime = column("When it was registered.")
    updated_at: datetime = column("When it was registered last, or ended.")
    ended_at: datetime | None = column("When it ended; null: it shows what the viewer is reminded of.")
    end_reason: DeviceEnd | None = column("Why it ended; null: it has not.")


@strawberry.type
class DeviceQueries:
    devices: Connection[Device] = connection(
        "Device",
        "schema.devices",
        model=DeviceRow,
        default=(Order("created_at", descending=True),),
        plain=True,
        description="The viewer's devices in this workspace, those that have ended included, the newest first.",
    )

    @strawberry.field(
        description="The key with which a browser subscribes to pushes (applicationServerKey), as base64url. A "
        "subscription made with another is made anew, and registered."
    )
    async def web_push_public_key(self, info: Info) -> str | None:
        if info.context.actor is None:
            return None
        return push_keys.public(await push_keys.private(now=info.context.now))
