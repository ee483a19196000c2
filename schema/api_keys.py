"""API keys in the schema."""

from datetime import datetime

import strawberry

from domain import api_keys
from domain.policy import API_SCOPES
from engine.pages import Order
from models.api_keys import ApiKey as ApiKeyRow
from models.users import Role
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import column, noun, relation, shown
from schema.inputs import own_id
from schema.nodes import Node
from schema.users import User

NEWEST = (Order("created_at", descending=True),)


@noun(ApiKeyRow, description="A key by which a partner system acts as a service user, within scopes.")
class ApiKey(Node):
    name: str = column("What it is called.")
    prefix: str = column("How the key begins, to tell it from others.")
    scopes: list[str] = column("What it may read and write, as noun:read and noun:write.")
    user: User | None = relation(UserRow, "The service user that it acts as.", by="user_id")
    created_by: User | None = relation(UserRow, "Who made it.", by="created_by_id")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it ends by itself.")
    last_used_at: datetime | None = column("When it was last used, give or take a minute.")
    revoked_at: datetime | None = column("When it was revoked.")


@strawberry.type
class ApiKeyQueries:
    api_keys: Connection[ApiKey] = connection(
        "ApiKey",
        "schema.api_keys",
        model=ApiKeyRow,
        default=NEWEST,
        plain=True,
        description="The API keys, newest first; empty for who may not manage them.",
    )


@strawberry.input(description="A new API key.")
class CreateApiKeyInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, and the service user that is made for it.")
    scopes: list[str] = strawberry.field(
        description=f"What it may read and write: any of {', '.join(sorted(API_SCOPES))}."
    )
    role: Role | None = strawberry.field(
        default=None,
        description="The role of the service user that is made for it, which limits it besides its scopes. "
        "QUALIFIER if left out: it sees every lead and may capture, change and move it, but neither delete nor "
        "administer.",
    )
    service_user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The service user of an earlier key, to act as the same one."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends by itself.")


@strawberry.type(description="The new key.")
class CreateApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(default=None, description="The key, without its secret.")
    secret: str | None = strawberry.field(
        default=None, description="What the partner sends as `Authorization: Bearer sck_…`; shown this once."
    )


@strawberry.input(description="Which key to revoke.")
class RevokeApiKeyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.type(description="The revoked key.")
class RevokeApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(default=None, description="The key.")


@strawberry.type
class ApiKeyMutations:
    @strawberry.mutation(description="Make a key for a partner system.")
    @reports_user_errors
    async def create_api_key(self, info: Info, input: Given[CreateApiKeyInput]) -> CreateApiKeyPayload:
        made = await api_keys.create(
            info.context.actor,
            name=input.name,
            scopes=input.scopes,
            role=input.role,
            service_user_id=ids.decode_maybe(input.service_user_id, "User", field="serviceUserId"),
            expires_at=input.expires_at,
            id=ids.decode_new(input.id, "ApiKey"),
            now=info.context.now,
        )
        return CreateApiKeyPayload(api_key=shown(made.row), secret=made.secret)

    @strawberry.mutation(description="Revoke a key: the next request with it is refused.")
    @reports_user_errors
    async def revoke_api_key(self, info: Info, input: Given[RevokeApiKeyInput]) -> RevokeApiKeyPayload:
        row = await api_keys.revoke(info.context.actor, ids.decode(input.id, "ApiKey"), now=info.context.now)
        return RevokeApiKeyPayload(api_key=shown(row))
