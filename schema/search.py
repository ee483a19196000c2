"""The search over leads and what is around them in the schema."""

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry
from graphql import GraphQLError
from tortoise.models import Model

from domain.edits import camel
from engine.reads import MODELS
from queries.search import marked, search
from schema.connections import LARGEST_PAGE, LONGEST_SEARCH
from schema.context import Info
from schema.fields import shown

if TYPE_CHECKING:
    from schema.companies import Company
    from schema.contacts import Contact
    from schema.follow_ups import FollowUp
    from schema.leads import Lead
    from schema.products import Product

# As many as the cost takes a list without pages for.
USUAL = 10

SearchResult: TypeAlias = Annotated[
    Annotated["Lead", strawberry.lazy("schema.leads")]
    | Annotated["Company", strawberry.lazy("schema.companies")]
    | Annotated["Contact", strawberry.lazy("schema.contacts")]
    | Annotated["Product", strawberry.lazy("schema.products")]
    | Annotated["FollowUp", strawberry.lazy("schema.follow_ups")],
    strawberry.union("SearchResult", description="What the search finds."),
]


@strawberry.enum(description="What is searched.")
class SearchType(Enum):
    LEAD = strawberry.enum_value("Lead", description="Leads, by title and description.")
    COMPANY = strawberry.enum_value("Company", description="Companies, by name, domain, industry, and phone number.")
    CONTACT = strawberry.enum_value("Contact", description="Contacts, by name, email, job title, and phone number.")
    PRODUCT = strawberry.enum_value("Product", description="Products, by name, stock number and family.")
    FOLLOW_UP = strawberry.enum_value(
        "FollowUp", description="Follow-ups, by title and note, those that have ended included."
    )

    @property
    def model(self) -> type[Model]:
        return MODELS[str(self.value)]


@strawberry.type(description="A piece of a text that was searched; the pieces of a text follow one another.")
class SearchSegment:
    field: str = strawberry.field(description="Whose text it is, such as title.")
    text: str = strawberry.field(description="The piece, as plain text: it is not markup, whatever it looks like.")
    is_match: bool = strawberry.field(description="Whether it is one of the words that were searched for.")


@strawberry.type(description="Something that was found.")
class SearchHit:
    node: SearchResult = strawberry.field(description="What was found.")
    rank: float = strawberry.field(
        description="How well it matches: from 3 just this one, by id, email, phone, domain or stock number; from 2 "
        "its name; from 1 a beginning of its name; below 1 by how much and where its words occur."
    )
    highlight: list[SearchSegment] = strawberry.field(
        description="The texts in which the words occur, long ones in parts, with the words marked; empty where it "
        "was found by its id or phone number."
    )


def _checked(query: str, first: int | None) -> int:
    if len(query) > LONGEST_SEARCH:
        message = f"query has at most {LONGEST_SEARCH} characters."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
    limit = USUAL if first is None else first
    if not 0 <= limit <= LARGEST_PAGE:
        message = f"A page has 0 to {LARGEST_PAGE} entries, not {limit}."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
    return limit


@strawberry.type
class SearchQueries:
    @strawberry.field(
        description="The leads, companies, contacts, products and follow-ups that match a text best, the best first; "
        "of equals the newest. Every word must occur, the last may be a beginning. Nothing is found by a text without "
        "letters and digits, nor of what the viewer may not see."
    )
    async def search(
        self,
        info: Info,
        query: Annotated[str, strawberry.argument(description="What to look for, at most 200 characters.")],
        types: Annotated[
            list[SearchType] | None, strawberry.argument(description="Only these; all of them by default.")
        ] = None,
        first: Annotated[
            int | None, strawberry.argument(description="How many at most; 10 by default, at most 100.")
        ] = None,
    ) -> list[SearchHit]:
        limit = _checked(query, first)
        wanted = list(SearchType) if types is None else types
        hits = await search(info.context.actor, query, [one.model for one in wanted], limit=limit)
        rows = await asyncio.gather(*(info.context.row(hit.model, hit.key) for hit in hits))
        # What was deleted a moment ago is not there.
        there = [(hit, row) for hit, row in zip(hits, rows, strict=True) if row is not None]
        texts = marked([row for _, row in there], query)
        return [
            SearchHit(
                node=shown(row),
                rank=hit.rank,
                highlight=[
                    SearchSegment(field=camel(one.column), text=one.text, is_match=one.is_match) for one in segments
                ],
            )
            for (hit, row), segments in zip(there, texts, strict=True)
        ]
