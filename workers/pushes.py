"""Pushes of the ledger: to the device that each is for, which ends where its service knows it no more."""

from datetime import UTC, datetime

from adapters import push
from adapters.push import DeviceGone, Push, PushLater, PushRefused, Vapid
from adapters.sending import Deferred, Refused
from domain import devices, push_keys
from workers.messages import Due

_open: dict[bytes, push.Sender] = {}


async def send(row: Due, message: Push) -> None:
    """Hand a push to the service of its device; raises Refused, Deferred."""
    now = datetime.now(UTC)
    try:
        await (await _sender(now)).send(message)
    except DeviceGone as gone:
        if row.device_id is not None:
            await devices.gone([row.device_id], now=now)
        raise Refused(f"The push service knows the device no more: {gone}") from gone
    except PushRefused as refused:
        raise Refused(str(refused)) from refused
    except PushLater as later:
        raise Deferred(str(later), uncertain=later.uncertain, seconds=later.seconds or 0.0) from later


async def close() -> None:
    """Close this process's connections to push services."""
    for sender in list(_open.values()):
        await sender.close()
    _open.clear()


async def _sender(now: datetime) -> push.Sender:
    """Return what sends in this process; its key is read once."""
    if not _open:
        key = await push_keys.private(now=now)
        _open.setdefault(key, push.Sender(Vapid(key)))
    return next(iter(_open.values()))
