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


def json_response(
    body: bytes, status: int = 200, *, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    response = Response(body, status, headers=dict(headers or {}), media_type=f"{media_type}; charset=utf-8")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
