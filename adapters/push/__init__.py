"""Pushes to browsers and phones: one interface, and a service for each platform that is set up."""

from typing import Protocol

from adapters.push.apns import Apns
from adapters.push.browsers import Browsers, Vapid
from adapters.push.errors import DeviceGone, PushLater, PushRefused
from adapters.push.fcm import Fcm
from adapters.push.messages import Push, Target
from models.reminders import DevicePlatform
from settings import settings

__all__ = ["DeviceGone", "Push", "PushLater", "PushRefused", "Sender", "Target", "Vapid"]


class Service(Protocol):
    """A platform's push service."""

    async def send(self, push: Push) -> None: ...

    async def close(self) -> None: ...


class Sender:
    """Sends pushes by the service of their device's platform."""

    def __init__(self, key: Vapid) -> None:
        self._services: dict[DevicePlatform, Service] = {DevicePlatform.WEB: Browsers(key)}
        if settings().fcm_service_account:
            self._services[DevicePlatform.FCM] = Fcm()
        if settings().apns_key:
            self._services[DevicePlatform.APNS] = Apns()

    async def send(self, push: Push) -> None:
        """Send a push; raises DeviceGone, PushRefused, PushLater."""
        service = self._services.get(push.to.platform)
        if service is None:
            raise PushRefused(f"{push.to.platform} is not set up on this server.")
        await service.send(push)

    async def close(self) -> None:
        for service in self._services.values():
            await service.close()
