"""Push services within the test: of browsers, Firebase and Apple, which check what they get as the real ones do."""

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import h2.config
import h2.connection
import h2.events
import h11
import http_ece
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.push import Target
from models.reminders import DevicePlatform

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Service:
    """A server that remembers what it was sent, and gives the next of `answers` instead of taking it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.pushes: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        return self.take(request)

    def take(self, request: Request) -> Answer:
        raise NotImplementedError


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A browser's subscription: what it tells the server, and how it reads what it is sent."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)

    @property
    def p256dh(self) -> str:
        point = serialization.PublicFormat.UncompressedPoint
        return b64(self._key.public_key().public_bytes(serialization.Encoding.X962, point))

    @property
    def auth(self) -> str:
        return b64(self._auth)

    @property
    def target(self) -> Target:
        return Target(DevicePlatform.WEB, self.endpoint, self.p256dh, self.auth)

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        read: dict[str, Any] = orjson.loads(plain)
        return read


class BrowserService(Service):
    """Takes encrypted pushes from whoever signs them, and has the browser read them."""

    def __init__(self) -> None:
        super().__init__()
        self.browsers: dict[str, Browser] = {}
        self.signed_by: set[str] = set()

    def subscribe(self) -> Browser:
        path = f"/push/{len(self.browsers)}-{os.urandom(4).hex()}"
        self.browsers[path] = Browser(self.url + path)
        return self.browsers[path]

    def take(self, request: Request) -> Answer:
        browser = self.browsers.get(request.path)
        if browser is None:
            return Answer(410, body=b"push subscription has unsubscribed or expired")
        assert request.headers["content-encoding"] == "aes128gcm"
        assert int(request.headers["ttl"]) > 0
        assert request.headers["urgency"] in ("very-low", "low", "normal", "high")
        assert len(request.headers["topic"]) <= 32
        if len(request.body) > 4096:
            return Answer(413)
        self.signed_by.add(signer(request.headers["authorization"], self.url))
        self.pushes.append(browser.read(request.body) | {"endpoint": browser.endpoint})
        return Answer(201)


def signer(authorization: str, audience: str) -> str:
    """Return the public key that signed a VAPID header for this origin, as RFC 8292 has it checked."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts["k"]))
    claims = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=audience, options={"require": ["exp", "sub"]})
    assert claims["exp"] <= time.time() + 24 * 3600
    assert claims["sub"].startswith(("mailto:", "https:"))
    return parts["k"]


class FirebaseService(Service):
    """FCM's HTTP v1 interface and Google's token endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: list[str] = []
        self.devices: set[str] = set()

    @property
    def account(self) -> str:
        return orjson.dumps(
            {
                "type": "service_account",
                "project_id": "sales",
                "private_key_id": "k1",
                "private_key": self._key.private_bytes(PEM, PKCS8, OPEN).decode(),
                "client_email": "push@sales.iam.gserviceaccount.example",
                "token_uri": f"{self.url}/token",
            }
        ).decode()

    def take(self, request: Request) -> Answer:
        if request.path == "/token":
            return self._token(request)
        assert (request.method, request.path) == ("POST", "/v1/projects/sales/messages:send")
        if request.headers.get("authorization") != f"Bearer {self.tokens[-1] if self.tokens else ''}":
            return refused(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")
        message = orjson.loads(request.body)["message"]
        assert all(isinstance(value, str) for value in message["data"].values())
        if message["token"] not in self.devices:
            return refused(404, "NOT_FOUND", "UNREGISTERED")
        self.pushes.append(message)
        return Answer(200, body=b'{"name": "projects/sales/messages/1"}')

    def _token(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(
            form["assertion"], self._key.public_key(), algorithms=["RS256"], audience=f"{self.url}/token"
        )
        assert claims["iss"] == "push@sales.iam.gserviceaccount.example"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        self.tokens.append(f"token-{len(self.tokens)}")
        said = {"access_token": self.tokens[-1], "expires_in": 3599, "token_type": "Bearer"}
        return Answer(200, body=orjson.dumps(said))


def refused(status: int, name: str, code: str) -> Answer:
    """Return an error as FCM writes it."""
    detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    error = {"code": status, "message": name.lower(), "status": name, "details": [detail]}
    return Answer(status, body=orjson.dumps({"error": error}))


class AppleService(Service):
    """Apple's push service: HTTP/2 and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.devices: set[str] = set()
        self.connections = 0

    @property
    def key(self) -> str:
        return self._key.private_bytes(PEM, PKCS8, OPEN).decode()

    def take(self, request: Request) -> Answer:
        assert request.method == "POST"
        token = request.headers["authorization"].removeprefix("bearer ")
        assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
        claims = jwt.decode(token, self._key.public_key(), algorithms=["ES256"], options={"require": ["iat", "iss"]})
        assert claims["iss"] == "TEAM123456"
        assert request.headers["apns-push-type"] == "alert"
        assert len(request.headers["apns-collapse-id"].encode()) <= 64
        if request.headers["apns-topic"] != "example.sales":
            return said(400, "DeviceTokenNotForTopic")
        if len(request.body) > 4096:
            return said(413, "PayloadTooLarge")
        device = request.path.removeprefix("/3/device/")
        if device not in self.devices:
            return said(400, "BadDeviceToken")
        self.pushes.append(orjson.loads(request.body) | {"device": device, "apns-id": request.headers["apns-id"]})
        return Answer(200)


def said(status: int, reason: str) -> Answer:
    """Return an answer as Apple writes it."""
    return Answer(status, body=orjson.dumps({"reason": reason}))


@asynccontextmanager
async def browser_service() -> AsyncIterator[BrowserService]:
    service = BrowserService()
    async with _http1(service):
        yield service


@asynccontextmanager
async def firebase_service() -> AsyncIterator[FirebaseService]:
    service = FirebaseService()
    async with _http1(service):
        yield service


@asynccontextmanager
async def apple_service() -> AsyncIterator[AppleService]:
    service = AppleService()
    async with _served(service, lambda reader, writer: _talk_http2(service, reader, writer)):
        yield service


@asynccontextmanager
async def _http1(service: Service) -> AsyncIterator[None]:
    async with _served(service, lambda reader, writer: _talk_http1(service, reader, writer)):
        yield


@asynccontextmanager
async def _served(service: Service, talk: Any) -> AsyncIterator[None]:
    talks: set[asyncio.Task[None]] = set()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        talks.add(task)
        try:
            await talk(reader, writer)
        finally:
            talks.discard(task)
            writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*talks, return_exceptions=True)


async def _talk_http1(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            headers = {name.decode(): value.decode() for name, value in event.headers}
            request, body = Request(event.method.decode(), event.target.decode(), headers, b""), b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert request
            request.body = body
            answer = service.answer(request)
            fields = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
            head = h11.Response(status_code=answer.status, headers=fields)
            for part in (head, h11.Data(data=answer.body), h11.EndOfMessage()):
                writer.write(connection.send(part) or b"")
            await writer.drain()
            connection.start_next_cycle()
        else:
            return


async def _talk_http2(service: AppleService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    service.connections += 1
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    requests: dict[int, Request] = {}
    writer.write(connection.data_to_send())
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = {str(name): str(value) for name, value in event.headers}
                requests[event.stream_id] = Request(headers[":method"], headers[":path"], headers, b"")
            elif isinstance(event, h2.events.DataReceived):
                requests[event.stream_id].body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                answer = service.answer(requests.pop(event.stream_id))
                fields = [(":status", str(answer.status)), *answer.headers.items()]
                connection.send_headers(event.stream_id, fields, end_stream=not answer.body)
                if answer.body:
                    connection.send_data(event.stream_id, answer.body, end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()
