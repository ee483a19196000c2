"""Web Push (RFC 8030, 8188, 8291) with VAPID (RFC 8292): to any browser's push service, encrypted for the browser."""

import base64
import hashlib
import time
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from io import BytesIO

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AnyHttpUrl, TypeAdapter
from webpush import WebPush
from webpush.types import WebPushKeys, WebPushSubscription

from adapters import web
from adapters.push.errors import DeviceGone, PushLater, PushRefused, broken_off, retry_after
from adapters.push.messages import Push, fitting
from adapters.web import AddressRefused
from settings import settings

# A push service need take no more than 4,096 bytes, of which the header takes 86, the tag 16 and the padding 1.
MOST_BYTES = 4096 - 86 - 16 - 1
# Push services refuse tokens of more than a day; one token serves all pushes to an origin.
TOKEN_SECONDS, RENEWED_BEFORE = 12 * 3600, 3600
SHOWN_OF_ANSWER = 300
ADDRESS: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)


@dataclass(frozen=True, slots=True)
class Vapid:
    """The key by which push services know this server: the private one as PEM."""

    pem: bytes


class Browsers:
    """Sends to browsers over connections that are kept."""

    def __init__(self, key: Vapid) -> None:
        self._key = key
        self._trusted = frozenset(map(web.origin, settings().trusted_push_origins))
        self._client = web.client(trusted=self._trusted)
        self._tokens: dict[str, tuple[str, float]] = {}

    async def send(self, push: Push) -> None:
        """Send a push; raises DeviceGone, PushRefused, PushLater."""
        try:
            web.check(push.to.address, trusted=self._trusted)
            answer = await self._client.post(
                push.to.address, content=_encrypted(push, self._key), headers=self._headers(push)
            )
        except AddressRefused as error:
            raise PushRefused(str(error)) from error
        except httpx.HTTPError as error:
            raise broken_off(error) from error
        _read(answer)

    def _headers(self, push: Push) -> dict[str, str]:
        return {
            "ttl": str(int(push.lasts.total_seconds())),
            "urgency": "high" if push.urgent else "normal",
            "topic": topic(push.topic),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "authorization": self._authorization(web.origin(push.to.address)),
        }

    def _authorization(self, audience: str) -> str:
        """Return the header that names this server to the push service of an origin.

        The library's own names the origin without its port.
        """
        token, ends = self._tokens.get(audience, ("", 0.0))
        now = time.time()
        if ends - now < RENEWED_BEFORE:
            ends = now + TOKEN_SECONDS
            claims = {"aud": audience, "exp": int(ends), "sub": _contact()}
            token = jwt.encode(claims, self._key.pem, algorithm="ES256")
            self._tokens[audience] = token, ends
        return f"vapid t={token}, k={public_of(self._key.pem)}"

    async def close(self) -> None:
        await self._client.aclose()


def _encrypted(push: Push, key: Vapid) -> bytes:
    payload = fitting(push, _payload, limit=MOST_BYTES)
    try:
        keys = WebPushKeys(p256dh=push.to.p256dh or "", auth=push.to.auth or "")
        subscription = WebPushSubscription(endpoint=ADDRESS.validate_python(push.to.address), keys=keys)
        encrypted: bytes = _library(key.pem).get(payload, subscription).encrypted
        return encrypted
    except ValueError as error:
        raise PushRefused(f"The device's keys are not those of a browser: {error}") from error


def topic(value: str) -> str:
    """Return what stands for a topic in its header, which takes 32 URL-safe characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:24]).decode()


@lru_cache(maxsize=4)
def public_of(pem: bytes) -> str:
    """Return the public key of a private one, as browsers take it for `applicationServerKey`."""
    return base64.urlsafe_b64encode(_public(pem, serialization.Encoding.X962)).rstrip(b"=").decode()


def _public(pem: bytes, encoding: serialization.Encoding) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    form = serialization.PublicFormat
    wanted = form.UncompressedPoint if encoding is serialization.Encoding.X962 else form.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, wanted)


@lru_cache(maxsize=4)
def _library(pem: bytes) -> WebPush:
    return WebPush(BytesIO(pem), BytesIO(_public(pem, serialization.Encoding.PEM)), subscriber="push@localhost.invalid")


def _contact() -> str:
    return settings().vapid_contact or f"mailto:{parseaddr(settings().mail_from)[1]}"


def _payload(push: Push) -> bytes:
    return orjson.dumps(push.facts() | {"title": push.title, "body": push.body})


def _read(answer: httpx.Response) -> None:
    """Raise what the answer of a push service says, unless it took the push."""
    if answer.is_success:
        return
    said = f"{answer.status_code} {answer.text[:SHOWN_OF_ANSWER]}".strip()
    if answer.status_code in (404, 410):
        raise DeviceGone(said)
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        raise PushLater(said, seconds=retry_after(answer.headers.get("retry-after")))
    raise PushRefused(said)
