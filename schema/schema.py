"""The whole schema, put together from its nouns."""

from typing import Annotated, cast

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

import schema.enums  # noqa: F401  (declares the enums before a type uses them)
from schema import nodes
from schema.api_keys import ApiKeyMutations, ApiKeyQueries
from schema.catalog import CatalogQueries
from schema.catalog_mutations import CatalogMutations
from schema.companies import CompanyQueries
from schema.company_mutations import CompanyMutations
from schema.contact_mutations import ContactMutations
from schema.contacts import ContactQueries
from schema.context import Info
from schema.exchange_rates import ExchangeRateMutations, ExchangeRateQueries
from schema.execution import Schema
from schema.field_definitions import FieldDefinitionQueries
from schema.files import FileMutations
from schema.imports import ImportMutations, ImportQueries
from schema.lead_mutations import LeadMutations
from schema.leads import LeadQueries
from schema.live import LiveQueries, Subscription
from schema.need_mutations import NeedMutations
from schema.nodes import Node
from schema.pipeline_mutations import PipelineMutations, StageMutations
from schema.pipelines import PipelineQueries
from schema.product_mutations import ProductMutations
from schema.products import ProductQueries
from schema.scalars import SCALARS
from schema.sessions import SessionMutations, SessionQueries
from schema.stages import StageQueries
from schema.summaries import SummaryQueries
from schema.teams import TeamMutations, TeamQueries
from schema.users import UserMutations, UserQueries
from schema.workspaces import WorkspaceMutations, WorkspaceQueries


@strawberry.type(description="What can be read.")
class Query(
    ApiKeyQueries,
    CatalogQueries,
    CompanyQueries,
    ContactQueries,
    ExchangeRateQueries,
    FieldDefinitionQueries,
    ImportQueries,
    LeadQueries,
    LiveQueries,
    PipelineQueries,
    ProductQueries,
    SessionQueries,
    StageQueries,
    SummaryQueries,
    TeamQueries,
    UserQueries,
    WorkspaceQueries,
):
    @strawberry.field(description="The object with this id; null where it is missing or may not be seen.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Node | None:
        return cast(Node | None, (await nodes.load([id], info))[0])

    @strawberry.field(description="The objects with these ids, in their order; null for what may not be seen.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their ids, at most 100.")],
    ) -> list[Node | None]:
        if len(ids) > nodes.MOST_NODES:
            raise GraphQLError(f"nodes takes at most {nodes.MOST_NODES} ids.", extensions={"code": "BAD_USER_INPUT"})
        return cast(list[Node | None], await nodes.load(ids, info))


@strawberry.type(description="What can be changed.")
class Mutation(
    ApiKeyMutations,
    CatalogMutations,
    CompanyMutations,
    ContactMutations,
    ExchangeRateMutations,
    FileMutations,
    ImportMutations,
    LeadMutations,
    NeedMutations,
    PipelineMutations,
    ProductMutations,
    SessionMutations,
    StageMutations,
    TeamMutations,
    UserMutations,
    WorkspaceMutations,
):
    pass


graphql_schema = Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
)
