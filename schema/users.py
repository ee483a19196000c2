"""Members of the workspace in the schema, and how they come into it."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain import files, invitations, users
from domain.absences import Absence
from domain.bulks import Handed
from engine.pages import Order
from models.sessions import Invitation as InvitationRow
from models.teams import Team as TeamRow
from models.users import Membership, Role
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import batch, by_id, column, given, given_id, noun, optional, relation, shown
from schema.filters import BooleanFilter, EnumFilter, IDFilter, StringFilter, junction, on, through
from schema.inputs import expected_version, own_id, unless_null
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import URL, Email, LanguageTag, TimeZone
from schema.sessions import SignedInPayload, signed_in

if TYPE_CHECKING:
    from schema.bulks import Bulk
    from schema.teams import Team

BY_NAME = (Order("name"),)
NEWEST = (Order("created_at", descending=True),)


async def places_of(users: list[Any], info: Info) -> list[Membership]:
    """Return the places of users in the workspace, in one statement however many fields ask for them."""
    workspace_id = info.context.actor.workspace_id

    async def load(keys: list[UUID]) -> list[Membership]:
        rows = await Membership.filter(workspace_id=workspace_id, user_id__in=keys)
        found = {row.user_id: row for row in rows}
        return [found[key] for key in keys]

    return await info.context.loader("place", load).load_many([user.id for user in users])


async def _roles(users: list[Any], info: Info) -> list[Role]:
    return [place.role for place in await places_of(users, info)]


async def _active(users: list[Any], info: Info) -> list[bool]:
    return [place.active for place in await places_of(users, info)]


async def _away_from(users: list[Any], info: Info) -> list[datetime | None]:
    return [place.away_from for place in await places_of(users, info)]


async def _away_until(users: list[Any], info: Info) -> list[datetime | None]:
    return [place.away_until for place in await places_of(users, info)]


async def _substitutes(users: list[Any], info: Info) -> list[Any]:
    return await info.context.rows(UserRow, [place.substitute_id for place in await places_of(users, info)])


async def _teams(users: list[Any], info: Info) -> list[Any]:
    return await info.context.rows(TeamRow, [place.team_id for place in await places_of(users, info)])


async def _avatar_urls(users: list[Any], info: Info) -> list[str | None]:
    now = info.context.now
    return [files.avatar_url(user.avatar_id, now=now) if user.avatar_id else None for user in users]


@noun(UserRow, description="A member of the workspace: a person, or a service that acts through API keys.")
class User(Node):
    name: str = column("What they are called.")
    email: Email | None = column("Their address; services and some imported owners have none.")
    is_service: bool = column("Whether it is a service that acts through API keys.")
    time_zone: TimeZone | None = column("Their time zone, where it is not the workspace's.")
    locale: LanguageTag | None = column("Their language, where it is not the workspace's.")
    avatar_url: URL | None = batch(
        _avatar_urls,
        "A small square picture of them, a WebP; null where there is none. The address changes once a day, and is good "
        "for another.",
        needs=("avatar_id",),
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When they were first known.")

    role: Role = batch(_roles, "Their role in this workspace.")
    active: bool = batch(_active, "Whether they may sign in to this workspace; inactive members still own leads.")
    team: Annotated["Team", strawberry.lazy("schema.teams")] | None = batch(_teams, "Their team in this workspace.")
    away_from: datetime | None = batch(
        _away_from, "From when they are away: what is handed to them then goes to their substitute."
    )
    away_until: datetime | None = batch(_away_until, "Until when they are away; null where that is open, or never.")
    substitute: Annotated["User", strawberry.lazy("schema.users")] | None = batch(
        _substitutes, "Who stands in for them while they are away."
    )


@strawberry.input(description="Which places in the workspace.")
class MembershipFilter:
    role: EnumFilter[Role] | None = on("By role.", "role")
    team: IDFilter | None = on("By team.", "team_id", noun="Team")
    active: BooleanFilter | None = on("By whether they may sign in.", "active")


@strawberry.input(description="Which users.")
class UserFilter:
    id: IDFilter | None = on("By id.", "id", noun="User")
    name: StringFilter | None = on("By name.", "name")
    email: StringFilter | None = on("By address.", "email")
    is_service: BooleanFilter | None = on("By whether it is a service.", "is_service")
    membership: MembershipFilter | None = through("By their place in the workspace.", "membership")
    and_: list["UserFilter"] | None = junction("and", "All of these pass.")
    or_: list["UserFilter"] | None = junction("or", "Any of these passes.")
    not_: "UserFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What users can be ordered by.")
class UserOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Their name.")
    CREATED_AT = strawberry.enum_value("created_at", description="When they were first known.")


@strawberry.input(description="An order of users.")
class UserOrder:
    field: UserOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@noun(InvitationRow, description="An address that was invited into the workspace.")
class Invitation(Node):
    email: Email = column("The address, as it was given.")
    role: Role = column("The role that it leads to.")
    team: Annotated["Team", strawberry.lazy("schema.teams")] | None = relation(
        TeamRow, "The team that it leads to.", by="team_id"
    )
    invited_by: User | None = relation(UserRow, "Who sent it last.", by="invited_by_id")
    created_at: datetime = column("When it was first sent.")
    expires_at: datetime = column("Until when it can be accepted.")
    accepted_at: datetime | None = column("When it was accepted.")
    revoked_at: datetime | None = column("When it was revoked.")


@strawberry.type
class UserQueries:
    users: Connection[User] = connection(
        "User", "schema.users", model=UserRow, default=BY_NAME, description="The members, inactive ones included."
    )
    invitations: Connection[Invitation] = connection(
        "Invitation",
        "schema.users",
        model=InvitationRow,
        default=NEWEST,
        plain=True,
        description="The invitations, newest first; empty for who may not invite.",
    )

    user: User | None = by_id(UserRow, "User", "A member.")


@strawberry.input(description="Whom to invite, and to what.")
class InviteUserInput(MutationInput):
    id: strawberry.ID | None = own_id()
    email: Email = strawberry.field(description="Where the invitation goes.")
    role: Role | None = optional(
        "The role that it leads to; left out or null, that of a pending invitation of the address, else REP."
    )
    team_id: strawberry.ID | None = optional(
        "The team that it leads to, null for none; left out, that of a pending invitation of the address, else none."
    )


@strawberry.type(description="The invitation, on its way by mail.")
class InviteUserPayload(Payload):
    invitation: Invitation | None = strawberry.field(default=None, description="The invitation.")


@strawberry.input(description="Which invitation to revoke.")
class RevokeInvitationInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The invitation.")


@strawberry.type(description="The revoked invitation.")
class RevokeInvitationPayload(Payload):
    invitation: Invitation | None = strawberry.field(default=None, description="The invitation.")


@strawberry.input(description="The token of an invitation, and the account to accept it with.")
class AcceptInvitationInput(MutationInput):
    token: str = strawberry.field(description="The token of the mail's link.")
    name: str | None = strawberry.field(default=None, description="What a new user is called.")
    password: str | None = strawberry.field(
        default=None,
        description="A new user's password; or that of the account with the invited address, unless it is signed in.",
    )


@strawberry.type(description="The new member's session.")
class AcceptInvitationPayload(SignedInPayload):
    pass


def away_from() -> Any:
    """Declare from when somebody is away."""
    return optional("From when they are away; left out beside awayUntil, from now on; null ends the absence.")


def away_until() -> Any:
    """Declare until when somebody is away."""
    return optional("Until when they are away; null leaves that open.")


def substitute_id() -> Any:
    """Declare who stands in for somebody."""
    return optional("An active member who gets what is handed to them meanwhile; null for nobody.")


def hand_over_leads() -> Any:
    """Declare whether leads go to a substitute now."""
    return strawberry.field(default=False, description="Whether their open leads go to the substitute now.")


@strawberry.input(description="What is to change of the viewer; what is left out stays.")
class UpdateMeInput(MutationInput):
    name: str | None = optional("What they are called.")
    time_zone: TimeZone | None = optional("Their time zone; null is the workspace's.")
    locale: LanguageTag | None = optional("Their language; null is the workspace's.")
    password: str | None = strawberry.field(
        default=None, description="A new password of at least 10 characters; it ends every other session."
    )
    old_password: str | None = strawberry.field(default=None, description="The present one, where a new one is given.")
    avatar_upload_id: strawberry.ID | None = optional(
        "Their picture: the `fileId` of an upload of their own for AVATAR, whose bytes have come; null for none."
    )
    away_from: datetime | None = away_from()
    away_until: datetime | None = away_until()
    substitute_id: strawberry.ID | None = substitute_id()
    hand_over_leads: bool = hand_over_leads()
    expected_version: int | None = expected_version()


@strawberry.type(description="Open leads that went from one member to another.")
class HandedPayload(Payload):
    transferred_leads: int = strawberry.field(
        default=0, description="How many of their open leads went to somebody else, or will by the bulk."
    )
    bulk: Annotated["Bulk", strawberry.lazy("schema.bulks")] | None = strawberry.field(
        default=None, description="What hands them over, where they are more than 500."
    )


@strawberry.type(description="The changed viewer.")
class UpdateMePayload(HandedPayload):
    stale_field: ClassVar[str] = "user"
    user: User | None = strawberry.field(default=None, description="The user as they are now.")


@strawberry.input(description="What is to change of a member; what is left out stays.")
class UpdateMemberInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The user.")
    role: Role | None = optional("Their role.")
    team_id: strawberry.ID | None = optional("Their team; null is none.")
    active: bool | None = optional("Whether they may sign in; false ends their sessions here.")
    name: str | None = optional("What they are called, of a service or of an owner who never signed in.")
    email: Email | None = optional("The address of an owner who never signed in, so that they can be invited.")
    away_from: datetime | None = away_from()
    away_until: datetime | None = away_until()
    substitute_id: strawberry.ID | None = substitute_id()
    hand_over_leads: bool = hand_over_leads()
    transfer_leads_to_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Who gets their open leads; who owns some is deactivated only with it, or with handOverLeads.",
    )
    expected_version: int | None = expected_version()


@strawberry.type(description="The changed member.")
class UpdateMemberPayload(HandedPayload):
    stale_field: ClassVar[str] = "user"
    user: User | None = strawberry.field(default=None, description="The user as they are now.")


@strawberry.input(description="Whose open leads go to whom.")
class TransferLeadsInput(MutationInput):
    from_user_id: strawberry.ID = strawberry.field(description="The member who owns them, active or not.")
    to_user_id: strawberry.ID = strawberry.field(
        description="The member who gets them; while they are away, it is whoever stands in for them."
    )


@strawberry.type(description="Open leads that went from one member to another.")
class TransferLeadsPayload(HandedPayload):
    pass


def _absence(input: UpdateMeInput | UpdateMemberInput) -> Absence:
    return Absence(
        away_from=given(input.away_from),
        away_until=given(input.away_until),
        substitute_id=given_id(input.substitute_id, "User", field="substituteId"),
    )


def _handed(handed: Handed | None) -> dict[str, Any]:
    """Return what a payload says of leads that were handed over."""
    return {"transferred_leads": handed.count, "bulk": shown(handed.bulk)} if handed else {}


@strawberry.type
class UserMutations:
    @strawberry.mutation(description="Invite an address; a pending invitation of it is renewed and sent again.")
    @reports_user_errors
    async def invite_user(self, info: Info, input: Given[InviteUserInput]) -> InviteUserPayload:
        row = await invitations.invite(
            info.context.actor,
            email=input.email,
            role=unless_null(input.role),
            team_id=given_id(input.team_id, "Team", field="teamId"),
            id=ids.decode_new(input.id, "Invitation"),
            now=info.context.now,
        )
        return InviteUserPayload(invitation=shown(row))

    @strawberry.mutation(description="Revoke an invitation, so that its link leads nowhere.")
    @reports_user_errors
    async def revoke_invitation(self, info: Info, input: Given[RevokeInvitationInput]) -> RevokeInvitationPayload:
        row = await invitations.revoke(info.context.actor, ids.decode(input.id, "Invitation"), now=info.context.now)
        return RevokeInvitationPayload(invitation=shown(row))

    @strawberry.mutation(description="Join the workspace of an invitation and sign in to it.")
    @reports_user_errors
    async def accept_invitation(self, info: Info, input: Given[AcceptInvitationInput]) -> AcceptInvitationPayload:
        result = await invitations.accept(
            input.token,
            name=input.name,
            password=input.password,
            actor=info.context.identity,
            address=info.context.address,
            user_agent=info.context.user_agent,
            now=info.context.now,
        )
        return await signed_in(AcceptInvitationPayload, result, info)

    @strawberry.mutation(
        description="Change the viewer's own name, time zone, language or password, or when they are away."
    )
    @reports_user_errors
    async def update_me(self, info: Info, input: Given[UpdateMeInput]) -> UpdateMePayload:
        row = await users.update_me(
            info.context.actor,
            name=given(input.name),
            time_zone=given(input.time_zone),
            locale=given(input.locale),
            password=input.password,
            old_password=input.old_password,
            avatar_upload_id=given_id(input.avatar_upload_id, "File", field="avatarUploadId"),
            absence=_absence(input),
            hand_over=input.hand_over_leads,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return UpdateMePayload(user=shown(row), **_handed(row.handed))

    @strawberry.mutation(description="Change a member's role or team, whether they may sign in, or when they are away.")
    @reports_user_errors
    async def update_member(self, info: Info, input: Given[UpdateMemberInput]) -> UpdateMemberPayload:
        row = await users.update_member(
            info.context.actor,
            ids.decode(input.id, "User"),
            role=given(input.role),
            team_id=given_id(input.team_id, "Team", field="teamId"),
            active=given(input.active),
            name=given(input.name),
            email=given(input.email),
            absence=_absence(input),
            hand_over=input.hand_over_leads,
            transfer_leads_to=ids.decode_maybe(input.transfer_leads_to_id, "User", field="transferLeadsToId"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return UpdateMemberPayload(user=shown(row), **_handed(row.handed))

    @strawberry.mutation(description="Give the open leads of a member to another one; each is told of as assigned.")
    @reports_user_errors
    async def transfer_leads(self, info: Info, input: Given[TransferLeadsInput]) -> TransferLeadsPayload:
        handed = await users.transfer_leads(
            info.context.actor,
            ids.decode(input.from_user_id, "User", field="fromUserId"),
            ids.decode(input.to_user_id, "User", field="toUserId"),
            now=info.context.now,
        )
        return TransferLeadsPayload(**_handed(handed))
