"""Documents that a client names instead of sending: trusted ones, and those that it has sent before (APQ)."""

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError

from adapters.redis import UNREACHABLE, Client
from api.refusals import coded
from settings import Settings

KEPT_SECONDS = 7 * 24 * 3600
MOST_KEPT, LONGEST_KEPT = 1_000, 64 * 1024
PREFIX = "salescycle:document:"


class Parameters(NamedTuple):
    """What a request asks for, as GraphQL over HTTP names it."""

    query: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None

    @classmethod
    def of(cls, given: Any) -> "Parameters":
        """Read a request's JSON object; raises GraphQLError."""
        if not isinstance(given, dict):
            raise _bad("A request is a JSON object with a member query.")
        return cls(
            query=_member(given, "query", str, "a string"),
            operation_name=_member(given, "operationName", str, "a string"),
            variables=_member(given, "variables", dict, "an object"),
            extensions=_member(given, "extensions", dict, "an object"),
            document_id=_member(given, "documentId", str, "a string"),
        )

    @property
    def sha256(self) -> str | None:
        """Return the hash by which the client knows its document."""
        persisted = (self.extensions or {}).get("persistedQuery")
        if persisted is None:
            return None
        found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        if not isinstance(found, str) or len(found) != 64 or persisted.get("version", 1) != 1:
            raise _bad("extensions.persistedQuery has version 1 and a sha256Hash of 64 hexadecimal digits.")
        return found.lower()


class PersistedDocuments:
    """Where texts are found by their names, for all processes."""

    def __init__(self, redis: Client, settings: Settings) -> None:
        self._redis = redis
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._trusted = load(settings.trusted_documents) if settings.trusted_documents else {}
        self._only_trusted = settings.trusted_documents is not None and settings.environment == "production"

    async def text_of(self, asked: Parameters) -> str:
        """Return the document that a request asks for; raises GraphQLError."""
        name = asked.document_id or asked.sha256
        if name is not None and (trusted := self._trusted.get(name.removeprefix("sha256:"))):
            return trusted
        if self._only_trusted:
            raise _untrusted() if name else coded("Only trusted documents are allowed: send documentId.", "FORBIDDEN")
        if asked.query:
            if asked.sha256 and asked.sha256 != _hash(asked.query):
                raise _bad("The document does not have the hash that extensions.persistedQuery says.")
            return asked.query
        if asked.document_id is None and asked.sha256:
            if found := await self._find(asked.sha256):
                return found
            raise _not_found()
        raise _untrusted() if name else _bad("Send a document in query.")

    async def remember(self, asked: Parameters) -> None:
        """Keep a document that its client will name from now on, and that was found to be valid."""
        if asked.query and (name := asked.sha256) and len(asked.query) <= LONGEST_KEPT and name not in self._kept:
            self._keep(name, asked.query)
            try:
                await self._redis.set(PREFIX + name, asked.query, ex=KEPT_SECONDS)
            except UNREACHABLE:
                return

    async def _find(self, name: str) -> str | None:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        try:
            found = await self._redis.getex(PREFIX + name, ex=KEPT_SECONDS)
        except UNREACHABLE:
            return None
        text: str = found.decode() if found else ""
        if _hash(text) != name:
            return None
        self._keep(name, text)
        return text

    def _keep(self, name: str, text: str) -> None:
        self._kept[name] = text
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def load(path: Path) -> dict[str, str]:
    """Read trusted documents by their ids.

    A folder holds a document a file, known by its SHA-256 and its name without suffix; a file is a JSON object of
    ids and documents (Relay), or Apollo's manifest.
    """
    if path.is_dir():
        texts = {file.stem: file.read_text() for file in sorted(path.rglob("*.graphql"))}
        return texts | {_hash(text): text for text in texts.values()}
    manifest = orjson.loads(path.read_bytes())
    if isinstance(manifest.get("operations"), list):
        manifest = {operation["id"]: operation["body"] for operation in manifest["operations"]}
    return {str(name).removeprefix("sha256:"): str(text) for name, text in manifest.items()}


def _member(given: dict[str, Any], name: str, of: type, what: str) -> Any:
    value = given.get(name)
    if value is not None and not isinstance(value, of):
        raise _bad(f"{name} must be {what}.")
    return value


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _untrusted() -> GraphQLError:
    message = "This server knows no such trusted document: deploy it there before the client that names it."
    return coded(message, "TRUSTED_DOCUMENT_NOT_FOUND")


def _not_found() -> GraphQLError:
    # Clients send the whole document after this very message.
    return coded("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


def _bad(message: str) -> GraphQLError:
    return coded(message, "BAD_USER_INPUT")
