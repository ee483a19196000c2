"""Signing in and out in the schema, and who the viewer is."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import strawberry

from domain import password_resets, sessions, users
from domain.policy import Action
from models.users import Role
from models.users import User as UserRow
from models.workspaces import Workspace as WorkspaceRow
from schema import ids
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import column, shown
from schema.notifications import unread_of
from schema.scalars import Email, LanguageTag, TimeZone

if TYPE_CHECKING:
    from schema.users import User
    from schema.workspaces import Workspace

P = TypeVar("P", bound="SignedInPayload")


@strawberry.type(description="Something that the viewer may do.")
class Permission:
    action: Action = strawberry.field(description="What.")
    own_only: bool = strawberry.field(description="Whether only on what the viewer owns.")


@strawberry.type(description="The viewer's place in one of their workspaces.")
class Membership:
    role: Role = column("Their role there.")
    created_at: datetime = column("Since when.")

    @strawberry.field(description="The workspace.")
    def workspace(self) -> Annotated["Workspace", strawberry.lazy("schema.workspaces")]:
        return shown(self.workspace)  # type: ignore[no-any-return]


@strawberry.type(description="Who asks, and where they are signed in.")
class Viewer:
    @strawberry.field(description="The user; of an API key, its service user.")
    async def user(self, info: Info) -> Annotated["User", strawberry.lazy("schema.users")]:
        return shown(await UserRow.get(id=info.context.actor.user_id))  # type: ignore[no-any-return]

    @strawberry.field(description="The workspace that they are signed in to.")
    async def workspace(self, info: Info) -> Annotated["Workspace", strawberry.lazy("schema.workspaces")]:
        return shown(await WorkspaceRow.get(id=info.context.actor.workspace_id))  # type: ignore[no-any-return]

    @strawberry.field(description="Their places in all their workspaces, to switch between; oldest first.")
    async def memberships(self, info: Info) -> list[Membership]:
        return shown(await users.memberships(info.context.actor))  # type: ignore[no-any-return]

    @strawberry.field(description="What they may do here.")
    def permissions(self, info: Info) -> list[Permission]:
        allowed = users.permissions(info.context.actor)
        return [Permission(action=action, own_only=own) for action, own in allowed.items()]

    @strawberry.field(description="Their time zone, or else the workspace's.")
    async def time_zone(self, info: Info) -> TimeZone:
        return TimeZone((await users.locality(info.context.actor)).time_zone)

    @strawberry.field(description="Their language, or else the workspace's.")
    async def locale(self, info: Info) -> LanguageTag:
        return LanguageTag((await users.locality(info.context.actor)).locale)

    @strawberry.field(description="How many unread notifications they have.")
    async def unread_notifications(self, info: Info) -> int:
        return await unread_of(info.context)


@strawberry.type
class SessionQueries:
    @strawberry.field(description="Who asks; an error of code UNAUTHENTICATED where nobody is signed in.")
    def viewer(self, info: Info) -> Viewer | None:
        return Viewer() if info.context.actor else None


@strawberry.type(description="A session: send the access token as `Authorization: Bearer …`, and keep the other safe.")
class SignedInPayload(Payload):
    access_token: str | None = strawberry.field(default=None, description="Says who asks, for 15 minutes.")
    refresh_token: str | None = strawberry.field(
        default=None, description="Exchanged once for the next pair of tokens, by refreshToken."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When the access token expires.")
    viewer: Viewer | None = strawberry.field(default=None, description="Who is signed in now.")


async def signed_in(payload: type[P], result: sessions.SignedIn, info: Info) -> P:
    """Return the tokens; the rest of the operation is answered to who just signed in."""
    info.context.identity = await users.load_actor(result.access_token, now=info.context.now)
    info.context.refused = None
    info.context.loaders.clear()
    return payload(
        access_token=result.access_token,
        refresh_token=result.refresh_token,
        expires_at=result.expires_at,
        viewer=Viewer(),
    )


@strawberry.input(description="An email and its password.")
class SignInInput(MutationInput):
    email: Email = strawberry.field(description="The address.")
    password: str = strawberry.field(description="The password.")
    workspace_id: strawberry.ID | None = strawberry.field(
        default=None, description="Which of the user's workspaces; if left out, that of last time."
    )


@strawberry.type(description="The new session.")
class SignInPayload(SignedInPayload):
    pass


@strawberry.input(description="A refresh token.")
class RefreshTokenInput(MutationInput):
    refresh_token: str = strawberry.field(description="The refresh token of the last answer.")


@strawberry.type(description="The session's next tokens.")
class RefreshTokenPayload(SignedInPayload):
    pass


@strawberry.input(description="Another workspace of the viewer's.")
class SwitchWorkspaceInput(MutationInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to sign in to.")


@strawberry.type(description="The new session, in the other workspace.")
class SwitchWorkspacePayload(SignedInPayload):
    pass


@strawberry.input(description="Nothing but what every mutation takes.")
class SignOutInput(MutationInput):
    pass


@strawberry.type(description="Whether the session ended.")
class SignOutPayload(Payload):
    signed_out: bool = strawberry.field(default=False, description="True where it did.")


@strawberry.input(description="Nothing but what every mutation takes.")
class SignOutEverywhereInput(MutationInput):
    pass


@strawberry.type(description="How many sessions ended.")
class SignOutEverywherePayload(Payload):
    sessions_ended: int = strawberry.field(default=0, description="How many, on all devices and in all workspaces.")


@strawberry.input(description="The address of an account whose password is forgotten.")
class RequestPasswordResetInput(MutationInput):
    email: Email = strawberry.field(description="The address.")


@strawberry.type(description="The same answer, whether there is such an account or not.")
class RequestPasswordResetPayload(Payload):
    requested: bool = strawberry.field(
        default=False, description="True: if the address has an account, a mail is on its way."
    )


@strawberry.input(description="The token of a mail's link, and a new password.")
class ResetPasswordInput(MutationInput):
    token: str = strawberry.field(description="The token of the link.")
    password: str = strawberry.field(description="At least 10 characters, and not easily guessed.")


@strawberry.type(description="Whether the password was set; sign in with it, since every session ended.")
class ResetPasswordPayload(Payload):
    reset: bool = strawberry.field(default=False, description="True where it was.")


@strawberry.type
class SessionMutations:
    @strawberry.mutation(description="Sign in with an email and a password.")
    @reports_user_errors
    async def sign_in(self, info: Info, input: Given[SignInInput]) -> SignInPayload:
        result = await sessions.sign_in(
            email=input.email,
            password=input.password,
            workspace_id=ids.decode_maybe(input.workspace_id, "Workspace", field="workspaceId"),
            address=info.context.address,
            user_agent=info.context.user_agent,
            now=info.context.now,
        )
        return await signed_in(SignInPayload, result, info)

    @strawberry.mutation(
        description="Exchange a refresh token for the next pair. The same one again within 30 seconds gives the same "
        "refresh token, for two tabs; after that it ends the session, since it was stolen."
    )
    @reports_user_errors
    async def refresh_token(self, info: Info, input: Given[RefreshTokenInput]) -> RefreshTokenPayload:
        result = await sessions.refresh(input.refresh_token, now=info.context.now)
        return await signed_in(RefreshTokenPayload, result, info)

    @strawberry.mutation(description="Sign in to another workspace of the viewer's; the present session goes on.")
    @reports_user_errors
    async def switch_workspace(self, info: Info, input: Given[SwitchWorkspaceInput]) -> SwitchWorkspacePayload:
        result = await sessions.switch_workspace(
            info.context.actor,
            ids.decode(input.workspace_id, "Workspace", field="workspaceId"),
            user_agent=info.context.user_agent,
            now=info.context.now,
        )
        return await signed_in(SwitchWorkspacePayload, result, info)

    @strawberry.mutation(description="End this session; its access token stops at once.")
    @reports_user_errors
    async def sign_out(self, info: Info, input: Given[SignOutInput | None] = None) -> SignOutPayload:
        await sessions.sign_out(info.context.actor, now=info.context.now)
        return SignOutPayload(signed_out=True)

    @strawberry.mutation(description="End every session of the viewer, on all devices and in all workspaces.")
    @reports_user_errors
    async def sign_out_everywhere(
        self, info: Info, input: Given[SignOutEverywhereInput | None] = None
    ) -> SignOutEverywherePayload:
        ended = await sessions.sign_out_everywhere(info.context.actor, now=info.context.now)
        return SignOutEverywherePayload(sessions_ended=ended)

    @strawberry.mutation(description="Have a link sent to set a new password with; the answer is always the same.")
    @reports_user_errors
    async def request_password_reset(
        self, info: Info, input: Given[RequestPasswordResetInput]
    ) -> RequestPasswordResetPayload:
        await password_resets.request(email=input.email, address=info.context.address, now=info.context.now)
        return RequestPasswordResetPayload(requested=True)

    @strawberry.mutation(description="Set a new password by the link of a mail, and end every session.")
    @reports_user_errors
    async def reset_password(self, info: Info, input: Given[ResetPasswordInput]) -> ResetPasswordPayload:
        await password_resets.use(input.token, password=input.password, now=info.context.now)
        return ResetPasswordPayload(reset=True)
