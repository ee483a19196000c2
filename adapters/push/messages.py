"""What is pushed, and how it is cut to what push services carry."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from models.reminders import DevicePlatform


@dataclass(frozen=True, slots=True)
class Target:
    """A device; `p256dh` and `auth` are the keys of a browser's subscription, as the browser gave them."""

    platform: DevicePlatform
    address: str
    p256dh: str | None = None
    auth: str | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """What a device shows. Of pushes with one `topic`, it shows the last; after `lasts` nobody needs it any more."""

    id: UUID
    to: Target
    title: str
    body: str
    kind: str
    topic: str
    url: str | None = None
    urgent: bool = False
    lasts: timedelta = timedelta(hours=12)

    def facts(self) -> dict[str, str]:
        """Return what an app needs to know of it, as texts."""
        known = {"id": str(self.id), "kind": self.kind, "topic": self.topic, "url": self.url}
        return {name: value for name, value in known.items() if value is not None}


def fitting(push: Push, encode: Callable[[Push], bytes], *, limit: int) -> bytes:
    """Return a push as bytes, with as much of its body, and then of its title, as they hold."""
    if len(encoded := encode(push)) <= limit:
        return encoded
    bodies = [replace(push, body=_cut(push.body, length)) for length in range(len(push.body))]
    titles = [replace(push, body="", title=_cut(push.title, length)) for length in range(len(push.title))]
    shorter = [*titles, *bodies]
    held = bisect_right(shorter, limit, key=lambda one: len(encode(one)))
    return encode(shorter[max(held - 1, 0)])


def _cut(text: str, length: int) -> str:
    return text[: length - 1].rstrip() + "…" if length else ""
