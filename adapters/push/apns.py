"""Apple's push service by HTTP/2, with a provider token."""

import time
from pathlib import Path

import httpx
import jwt
import orjson

from adapters.push.errors import DeviceGone, PushLater, PushRefused, broken_off, retry_after
from adapters.push.messages import Push, fitting
from settings import settings

MOST_BYTES = 4096
MOST_COLLAPSE_ID = 64
# Apple wants a token that is younger than an hour, and no new one within 20 minutes.
TOKEN_SECONDS = 45 * 60
SECONDS = 15.0
SHOWN_OF_ANSWER = 300
# As Apple documents the reasons of its answers.
GONE = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered", "ExpiredToken"})
OF_TOKEN = frozenset({"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken"})


class Apns:
    """Sends to one app of one team, over one connection."""

    def __init__(self) -> None:
        known = settings()
        self._key = _key(known.apns_key)
        self._client = httpx.AsyncClient(
            base_url=known.apns_url, http1=False, http2=True, timeout=SECONDS, follow_redirects=False
        )
        self._token, self._made = "", 0.0

    async def send(self, push: Push) -> None:
        """Send a push; raises DeviceGone, PushRefused, PushLater."""
        content = fitting(push, _body, limit=MOST_BYTES)
        headers = {
            "authorization": f"bearer {self._bearer()}",
            "apns-id": str(push.id),
            "apns-topic": settings().apns_topic,
            "apns-push-type": "alert",
            "apns-priority": "10" if push.urgent else "5",
            "apns-expiration": str(int(time.time() + push.lasts.total_seconds())),
            "apns-collapse-id": push.topic[:MOST_COLLAPSE_ID],
        }
        try:
            answer = await self._client.post(f"/3/device/{push.to.address}", content=content, headers=headers)
        except httpx.HTTPError as error:
            raise broken_off(error) from error
        self._read(answer)

    def _bearer(self) -> str:
        now = time.time()
        if now - self._made >= TOKEN_SECONDS:
            claims = {"iss": settings().apns_team_id, "iat": int(now)}
            self._token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": settings().apns_key_id})
            self._made = now
        return self._token

    def _read(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        reason = _reason(answer)
        said = f"{answer.status_code} {reason or answer.text[:SHOWN_OF_ANSWER]}"
        if answer.status_code == 410 or reason in GONE:
            raise DeviceGone(said)
        if reason == "ExpiredProviderToken":
            self._made = 0.0
        if answer.status_code == 429 or answer.status_code >= 500 or reason in OF_TOKEN:
            raise PushLater(said, seconds=retry_after(answer.headers.get("retry-after")))
        raise PushRefused(said)

    async def close(self) -> None:
        await self._client.aclose()


def _key(value: str) -> str:
    """Return a signing key, which is given as its PEM or as the path of the .p8 file."""
    return value if "PRIVATE KEY" in value else Path(value).read_text()


def _body(push: Push) -> bytes:
    alert = {"title": push.title, "body": push.body}
    return orjson.dumps({"aps": {"alert": alert, "sound": "default", "thread-id": push.kind}} | push.facts())


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return ""
