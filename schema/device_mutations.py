"""What can be done with devices, in the schema: translate in, translate out."""

from typing import Annotated

import strawberry

from domain import devices
from models.reminders import DevicePlatform
from schema import ids
from schema.context import Info
from schema.devices import Device
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about


@strawberry.input(description="The keys of a browser's subscription, as its toJSON() gives them.")
class WebPushKeysInput:
    p256dh: str = strawberry.field(description="Its public key, as base64url.")
    auth: str = strawberry.field(description="Its secret, as base64url.")


@strawberry.input(description="A device on which the viewer is signed in.")
class RegisterDeviceInput(MutationInput):
    platform: DevicePlatform = strawberry.field(description="By which service it is reached.")
    endpoint: str | None = strawberry.field(
        default=None, description="Of WEB: the address of its subscription, at most 2,000 characters."
    )
    keys: WebPushKeysInput | None = strawberry.field(default=None, description="Of WEB: its subscription's keys.")
    token: str | None = strawberry.field(
        default=None, description="Of FCM and APNS: its token, at most 2,000 characters."
    )
    name: str | None = strawberry.field(default=None, description="What to call it, at most 200 characters.")


@strawberry.input(description="A device of the viewer's.")
class UnregisterDeviceInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The device.")


@strawberry.type(description="A device after a mutation.")
class DevicePayload(Payload):
    device: Device | None = strawberry.field(default=None, description="The device; null on errors.")


@strawberry.type
class DeviceMutations:
    @strawberry.mutation(
        description="Have what the viewer is reminded of shown on a device. The same endpoint or token again is the "
        "same device; whoever else registered it is no longer shown anything there. It ends with the session."
    )
    @reports_user_errors
    async def register_device(
        self, info: Info, input: Annotated[RegisterDeviceInput, about("The device.")]
    ) -> DevicePayload:
        is_web = input.platform is DevicePlatform.WEB
        row = await devices.register(
            info.context.actor,
            platform=input.platform,
            address=(input.endpoint if is_web else input.token) or "",
            p256dh=input.keys.p256dh if input.keys else None,
            auth=input.keys.auth if input.keys else None,
            name=input.name,
            now=info.context.now,
        )
        return DevicePayload(device=shown(row))

    @strawberry.mutation(description="Have a device show nothing more; one that has ended stays so.")
    @reports_user_errors
    async def unregister_device(
        self, info: Info, input: Annotated[UnregisterDeviceInput, about("The device.")]
    ) -> DevicePayload:
        row = await devices.unregister(info.context.actor, ids.decode(input.id, "Device"), now=info.context.now)
        return DevicePayload(device=shown(row))
