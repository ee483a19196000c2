"""What is refused before GraphQL has a say, and every error as JSON in the form of a GraphQL answer."""

from collections.abc import Mapping
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"


class Refusal(Exception):
    """A request that is answered with an error status, whatever it accepts."""

    def __init__(self, status: int, message: str, *, code: str = "BAD_USER_INPUT", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self, media_type: str = JSON) -> Response:
        return errors_response([coded(str(self), self.code)], self.status, media_type=media_type, headers=self.headers)


def coded(message: str, code: str, **more: Any) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code, **more})


def errors_response(
    errors: list[GraphQLError], status: int, *, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer without data."""
    body = orjson.dumps({"errors": [error.formatted for error in errors]})
    return json_response(body, status, media_type=media_type, headers=headers)


class Written(Response):
    """JSON that is bytes already, with headers that nothing needs to look through; no cache keeps it."""

    def __init__(self, body: bytes, status: int, media_type: str, headers: Mapping[str, str]) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
        ]


def json_response(
    body: bytes, status: int = 200, *, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    return Written(body, status, media_type, headers or {})
