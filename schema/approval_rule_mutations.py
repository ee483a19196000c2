"""What can be done with rules of approval, in the schema: translate in, translate out."""

from decimal import Decimal
from typing import Annotated, ClassVar

import strawberry

from domain import approval_rules
from domain.approval_rules import RuleDetails
from models.proposals import ApprovalKind
from models.users import Role
from schema import ids
from schema.approval_rules import ApprovalRule
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import optional, shown
from schema.inputs import about, expected_version, own_id, unless_null


@strawberry.input(description="A rule of approval to add.")
class CreateApprovalRuleInput(MutationInput):
    id: strawberry.ID | None = own_id()
    kind: ApprovalKind = strawberry.field(description="What it looks at.")
    threshold: Decimal = strawberry.field(
        description="Over or under what: percent, or an amount in the workspace's base currency."
    )
    roles: list[Role] = strawberry.field(description="Members of which roles may approve: one at least.")


@strawberry.input(description="A change of a rule of approval; what is left out stays as it is, null changes nothing.")
class UpdateApprovalRuleInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The rule.")
    kind: ApprovalKind | None = optional("What it looks at.")
    threshold: Decimal | None = optional("Over or under what.")
    roles: list[Role] | None = optional("Members of which roles may approve: one at least.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A rule of approval to use no more.")
class ArchiveApprovalRuleInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The rule.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived rule of approval to use again.")
class RestoreApprovalRuleInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The rule.")


@strawberry.type(description="A rule of approval after a mutation.")
class ApprovalRulePayload(Payload):
    stale_field: ClassVar[str] = "approval_rule"
    approval_rule: ApprovalRule | None = strawberry.field(
        default=None, description="The rule; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class ApprovalRuleMutations:
    @strawberry.mutation(description="Add a rule that holds proposals until somebody approves.")
    @reports_user_errors
    async def create_approval_rule(
        self, info: Info, input: Annotated[CreateApprovalRuleInput, about("The rule.")]
    ) -> ApprovalRulePayload:
        row = await approval_rules.create(
            info.context.actor,
            RuleDetails(kind=input.kind, threshold=input.threshold, roles=input.roles),
            id=ids.decode_new(input.id, "ApprovalRule"),
            now=info.context.now,
        )
        return ApprovalRulePayload(approval_rule=shown(row))

    @strawberry.mutation(description="Change a rule of approval.")
    @reports_user_errors
    async def update_approval_rule(
        self, info: Info, input: Annotated[UpdateApprovalRuleInput, about("The change.")]
    ) -> ApprovalRulePayload:
        row = await approval_rules.update(
            info.context.actor,
            ids.decode(input.id, "ApprovalRule"),
            RuleDetails(
                kind=unless_null(input.kind),
                threshold=unless_null(input.threshold),
                roles=unless_null(input.roles),
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ApprovalRulePayload(approval_rule=shown(row))

    @strawberry.mutation(description="Hold no proposal by a rule any more.")
    @reports_user_errors
    async def archive_approval_rule(
        self, info: Info, input: Annotated[ArchiveApprovalRuleInput, about("The rule.")]
    ) -> ApprovalRulePayload:
        row = await approval_rules.archive(
            info.context.actor,
            ids.decode(input.id, "ApprovalRule"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ApprovalRulePayload(approval_rule=shown(row))

    @strawberry.mutation(description="Hold proposals by an archived rule again.")
    @reports_user_errors
    async def restore_approval_rule(
        self, info: Info, input: Annotated[RestoreApprovalRuleInput, about("The rule.")]
    ) -> ApprovalRulePayload:
        row = await approval_rules.restore(
            info.context.actor, ids.decode(input.id, "ApprovalRule"), now=info.context.now
        )
        return ApprovalRulePayload(approval_rule=shown(row))
