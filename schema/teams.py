"""Teams in the schema."""

from datetime import datetime
from enum import Enum
from typing import ClassVar

import strawberry

from domain import teams
from domain.policy import Action
from engine.pages import Order
from models.teams import Team as TeamRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors
from schema.fields import by_id, column, given, given_id, noun, optional, relation, shown
from schema.filters import IDFilter, StringFilter, junction, on
from schema.inputs import expected_version, own_id
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.users import User

BY_NAME = (Order("name"),)


@noun(TeamRow, description="A team, perhaps within another one.")
class Team(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_TEAMS, delete=Action.MANAGE_TEAMS)
    name: str = column("What it is called.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    parent: "Team | None" = relation(TeamRow, "The team that it is within.", by="parent_id")
    teams: Connection["Team"] = connection(
        "Team", "schema.teams", model=TeamRow, by="parent_id", default=BY_NAME, description="The teams within it."
    )
    members: Connection[User] = connection(
        "User",
        "schema.users",
        model=UserRow,
        by="id",
        through=("membership", "team_id", "user_id"),
        default=BY_NAME,
        description="Its members, without those of the teams within it.",
    )


@strawberry.input(description="Which teams.")
class TeamFilter:
    name: StringFilter | None = on("By name.", "name")
    parent: IDFilter | None = on("By the team that they are within.", "parent_id", noun="Team")
    and_: list["TeamFilter"] | None = junction("and", "All of these pass.")
    or_: list["TeamFilter"] | None = junction("or", "Any of these passes.")
    not_: "TeamFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What teams can be ordered by.")
class TeamOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")


@strawberry.input(description="An order of teams.")
class TeamOrder:
    field: TeamOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class TeamQueries:
    teams: Connection[Team] = connection(
        "Team", "schema.teams", model=TeamRow, default=BY_NAME, description="The teams, those within others included."
    )

    team: Team | None = by_id(TeamRow, "Team", "A team.")


@strawberry.input(description="A new team.")
class CreateTeamInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called; no two teams beside one another share a name.")
    parent_id: strawberry.ID | None = strawberry.field(default=None, description="The team that it is within.")


@strawberry.type(description="The new team.")
class CreateTeamPayload(Payload):
    team: Team | None = strawberry.field(default=None, description="The team.")


@strawberry.input(description="What is to change of a team; what is left out stays.")
class UpdateTeamInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The team.")
    name: str | None = optional("What it is called; no two teams beside one another share a name.")
    parent_id: strawberry.ID | None = optional("The team that it is within; null is none.")
    expected_version: int | None = expected_version()


@strawberry.type(description="The changed team.")
class UpdateTeamPayload(Payload):
    stale_field: ClassVar[str] = "team"
    team: Team | None = strawberry.field(default=None, description="The team as it is now.")


@strawberry.input(description="Which team to delete.")
class DeleteTeamInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The team; it must have neither members nor teams within it.")
    expected_version: int | None = expected_version()


@strawberry.type(description="What was deleted.")
class DeleteTeamPayload(Payload):
    deleted_team_id: strawberry.ID | None = strawberry.field(default=None, description="The deleted team's id.")


@strawberry.type
class TeamMutations:
    @strawberry.mutation(description="Make a team.")
    @reports_user_errors
    async def create_team(self, info: Info, input: Given[CreateTeamInput]) -> CreateTeamPayload:
        row = await teams.create(
            info.context.actor,
            name=input.name,
            parent_id=ids.decode_maybe(input.parent_id, "Team", field="parentId"),
            id=ids.decode_new(input.id, "Team"),
            now=info.context.now,
        )
        return CreateTeamPayload(team=shown(row))

    @strawberry.mutation(description="Rename a team, or move it with the teams within it.")
    @reports_user_errors
    async def update_team(self, info: Info, input: Given[UpdateTeamInput]) -> UpdateTeamPayload:
        row = await teams.update(
            info.context.actor,
            ids.decode(input.id, "Team"),
            name=given(input.name),
            parent_id=given_id(input.parent_id, "Team", field="parentId"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return UpdateTeamPayload(team=shown(row))

    @strawberry.mutation(description="Delete a team that is empty.")
    @reports_user_errors
    async def delete_team(self, info: Info, input: Given[DeleteTeamInput]) -> DeleteTeamPayload:
        row = await teams.delete(
            info.context.actor,
            ids.decode(input.id, "Team"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteTeamPayload(deleted_team_id=ids.encode("Team", row.id))
