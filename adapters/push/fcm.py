"""Firebase Cloud Messaging by its HTTP v1 interface, with the token of a service account."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import orjson

from adapters.push.errors import DeviceGone, PushLater, PushRefused, broken_off, retry_after
from adapters.push.messages import Push, fitting
from settings import settings

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_BYTES = 4096
TOKEN_SECONDS, RENEWED_BEFORE = 3600, 120
SECONDS = 15.0
SHOWN_OF_ANSWER = 300
# As FCM documents the codes of its errors: of a token that is no more, or of another sender; and those that pass.
GONE = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH", "NotRegistered"})
PASSING = frozenset({"QUOTA_EXCEEDED", "UNAVAILABLE", "INTERNAL"})


class Fcm:
    """Sends to the apps of one Firebase project."""

    def __init__(self) -> None:
        account = _account(settings().fcm_service_account)
        self._account = account
        self._url = f"{settings().fcm_url.rstrip('/')}/v1/projects/{account['project_id']}/messages:send"
        self._client = httpx.AsyncClient(timeout=SECONDS, follow_redirects=False)
        self._token, self._ends = "", 0.0
        self._renewing = asyncio.Lock()

    async def send(self, push: Push) -> None:
        """Send a push; raises DeviceGone, PushRefused, PushLater."""
        content = fitting(push, _body, limit=MOST_BYTES)
        try:
            token = await self._bearer()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            answer = await self._client.post(self._url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise broken_off(error) from error
        if answer.status_code == 401 and token == self._token:
            self._ends = 0.0
        _read(answer)

    async def _bearer(self) -> str:
        """Return the token of the service account, a new one before the old one ends."""
        async with self._renewing:
            now = time.time()
            if self._ends - now < RENEWED_BEFORE:
                self._token, lasts = await self._renewed(now)
                self._ends = now + lasts
            return self._token

    async def _renewed(self, now: float) -> tuple[str, float]:
        claims = {
            "iss": self._account["client_email"],
            "scope": SCOPE,
            "aud": self._account["token_uri"],
            "iat": int(now),
            "exp": int(now) + TOKEN_SECONDS,
        }
        key_id = {"kid": self._account["private_key_id"]} if "private_key_id" in self._account else None
        assertion = jwt.encode(claims, self._account["private_key"], algorithm="RS256", headers=key_id)
        form = {"grant_type": GRANT, "assertion": assertion}
        answer = await self._client.post(self._account["token_uri"], data=form)
        if not answer.is_success:
            # Our own account is wrong: somebody will set it right, and the push is not to blame.
            raise PushLater(f"The service account has no token: {answer.status_code} {answer.text[:SHOWN_OF_ANSWER]}")
        said = answer.json()
        return said["access_token"], float(said.get("expires_in", TOKEN_SECONDS))

    async def close(self) -> None:
        await self._client.aclose()


def _account(value: str) -> dict[str, Any]:
    """Return a service account, which is given as its JSON or as the path of the file."""
    text = value if value.lstrip().startswith("{") else Path(value).read_text()
    account: dict[str, Any] = orjson.loads(text)
    return account


def _body(push: Push) -> bytes:
    lasts = int(push.lasts.total_seconds())
    android = {"priority": "HIGH" if push.urgent else "NORMAL", "ttl": f"{lasts}s", "collapse_key": push.topic}
    message = {
        "token": push.to.address,
        "notification": {"title": push.title, "body": push.body},
        "data": push.facts(),
        "android": android | {"notification": {"tag": push.topic}},
        "apns": {"headers": {"apns-collapse-id": push.topic[:64], "apns-expiration": str(int(time.time()) + lasts)}},
    }
    return orjson.dumps({"message": message})


def _read(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    code = _code(answer)
    said = f"{answer.status_code} {code or answer.text[:SHOWN_OF_ANSWER]}"
    if code in GONE or (answer.status_code in (404, 410) and not code):
        raise DeviceGone(said)
    if answer.status_code in (401, 408, 429) or answer.status_code >= 500 or code in PASSING:
        raise PushLater(said, seconds=retry_after(answer.headers.get("retry-after")))
    raise PushRefused(said)


def _code(answer: httpx.Response) -> str:
    """Return FCM's code of an error, or else the status of Google's interfaces."""
    try:
        error = answer.json()["error"]
        details = [detail.get("errorCode") for detail in error.get("details", ()) if "errorCode" in detail]
        return str(details[0] if details else error.get("status", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
