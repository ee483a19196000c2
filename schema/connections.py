"""Relay connections over pages of rows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter, Signature
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError
from tortoise.models import Model

from engine.conditions import EVERYTHING, Condition, Search, both
from engine.nouns import NOUNS
from engine.pages import Order, Page, PageRequest
from engine.reads import ConnectionOf, FewOf
from engine.records import counts, pages
from queries.custom_fields import resolved
from schema.context import Context, Info
from schema.filters import condition
from schema.orders import ordered

T = TypeVar("T")
DEFAULT_PAGE, LARGEST_PAGE, LONGEST_SEARCH = 20, 100, 200

First = Annotated[int | None, strawberry.argument(description="How many from the start; 20 by default, at most 100.")]
Last = Annotated[int | None, strawberry.argument(description="How many from the end; at most 100.")]
After = Annotated[str | None, strawberry.argument(description="The cursor after which to begin.")]
Before = Annotated[str | None, strawberry.argument(description="The cursor before which to end.")]
SearchText = Annotated[
    str | None, strawberry.argument(description="Words that must all occur; the last may be a beginning.")
]


@dataclass(slots=True)
class Listed:
    """A page with the way to count the whole list; the root of every connection."""

    page: Page
    count: Callable[[], Awaitable[int]]


@dataclass(slots=True)
class EdgeRow:
    """A row of a page with its cursor; the root of every edge."""

    node: Any
    cursor: str


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are more before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first of this page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last of this page.")


@strawberry.type(description="One of a list, with its place in it.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The place in the list, to be passed as after or before.")
    node: T = strawberry.field(description="What stands there.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    @strawberry.field(description="What stands on this page, each with its cursor.")
    def edges(self) -> list[Edge[T]]:
        listed: Any = self
        found: Any = map(EdgeRow, listed.page.rows, listed.page.cursors)
        return list(found)

    @strawberry.field(description="What stands on this page.")
    def nodes(self) -> list[T]:
        listed: Any = self
        return listed.page.rows  # type: ignore[no-any-return]

    @strawberry.field(description="Where this page stands in its list.")
    def page_info(self) -> PageInfo:
        listed: Any = self
        shown: Page = listed.page
        return PageInfo(
            has_next_page=shown.has_next,
            has_previous_page=shown.has_previous,
            start_cursor=shown.cursors[0] if shown.cursors else None,
            end_cursor=shown.cursors[-1] if shown.cursors else None,
        )

    @strawberry.field(description="How many there are in the whole list; counted only when asked for.")
    async def total_count(self) -> int:
        listed: Any = self
        return await listed.count()  # type: ignore[no-any-return]


def searched(words: str | None) -> Search | None:
    """Return a search as data; refuses more than 200 characters."""
    if words is not None and len(words) > LONGEST_SEARCH:
        message = f"search has at most {LONGEST_SEARCH} characters."
        raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
    return Search(words) if words else None


def page_request(
    model: type[Model],
    *,
    orders: tuple[Order, ...],
    condition: Condition = EVERYTHING,
    search: str | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    by: str | None = None,
    through: tuple[str, str, str] | None = None,
    live: bool = True,
    board_at: datetime | None = None,
) -> PageRequest:
    """Return what a client asks of a list; refuses sizes below 0 and above 100, and first beside last."""
    if first is not None and last is not None:
        raise GraphQLError("Pass first or last, not both.", extensions={"code": "BAD_USER_INPUT"})
    limit = last if last is not None else first if first is not None else DEFAULT_PAGE
    if not 0 <= limit <= LARGEST_PAGE:
        raise GraphQLError(
            f"A page has 0 to {LARGEST_PAGE} entries, not {limit}.", extensions={"code": "BAD_USER_INPUT"}
        )
    return PageRequest(
        model,
        orders,
        limit=limit,
        condition=both(condition, searched(search)),
        after=after,
        before=before,
        backward=last is not None,
        by=by,
        through=through,
        live=live,
        board_at=board_at,
    )


async def _counted(request: PageRequest, context: Context) -> int:
    [number] = await counts(request, context.actor)
    return number


async def listed(request: PageRequest, context: Context, parent: UUID | None = None) -> Listed:
    """Read a page of a list, a parent's in one statement with those of its siblings."""
    request = await resolved(request, context.actor)
    if parent is None:
        [page] = await pages(request, context.actor)
        return Listed(page, lambda: _counted(request, context))
    return Listed(await context.page_of(request, parent), lambda: context.count_of(request, parent))


def connection(
    name: str,
    module: str,
    *,
    model: type[Model],
    description: str,
    default: tuple[Order, ...],
    by: str | None = None,
    through: tuple[str, str, str] | None = None,
    live: bool = True,
    plain: bool = False,
    board: bool = False,
    where: Condition = EVERYTHING,
) -> Any:
    """Declare a list of a noun: of the whole workspace, or of the row whose key stands in `by` or `through`.

    The noun's module has, beside its type `X`, an input `XFilter` and an input `XOrder`, whose `field` is an enum
    with column names as values; the list takes `search` where the noun has a search expression. A `plain` list
    takes neither filter nor order nor search; `board` leaves only leads that stand on the board, `where`
    only what meets a condition.
    """
    searchable = bool(NOUNS[model].search) and not plain

    def request(now: datetime, **arguments: Any) -> PageRequest:
        arguments = {name: value for name, value in arguments.items() if value is not strawberry.UNSET}
        passing, orders = arguments.pop("filter", None), arguments.pop("order_by", None)
        return page_request(
            model,
            orders=ordered(orders, default=default),
            condition=both(where, condition(passing)),
            by=by,
            through=through,
            live=live,
            board_at=now if board else None,
            **arguments,
        )

    async def resolve(root: Any, info: Info, **arguments: Any) -> Any:
        asked = request(info.context.now, **arguments)
        return await listed(asked, info.context, root.id if by or through else None)

    lazy = strawberry.lazy(module)
    types: dict[str, Any] = {"first": First, "after": After, "last": Last, "before": Before}
    if not plain:
        passing: Any = Annotated[f"{name}Filter", lazy]
        entry: Any = Annotated[f"{name}Order", lazy]
        types["filter"] = Annotated[passing | None, strawberry.argument(description="Only what passes.")]
        types["order_by"] = Annotated[
            list[entry] | None, strawberry.argument(description="The order; the id breaks ties.")
        ]
    if searchable:
        types["search"] = SearchText
    kind = Parameter.POSITIONAL_OR_KEYWORD
    resolve.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter("root", kind, annotation=Any), Parameter("info", kind, annotation=Info)]
        + [
            Parameter(name, kind, default=strawberry.UNSET, annotation=annotation) for name, annotation in types.items()
        ],
        return_annotation=Connection[Annotated[name, lazy]],  # type: ignore[valid-type]
    )
    resolve.__annotations__ = {"root": Any, "info": Info, **types}
    return strawberry.field(
        resolver=resolve, description=description, metadata={"read": ConnectionOf(model, request, resolved)}
    )


def few(
    model: type[Model],
    *,
    description: str,
    default: tuple[Order, ...],
    most: int,
    by: str | None = None,
    through: tuple[str, str, str] | None = None,
    live: bool = True,
    where: Condition = EVERYTHING,
) -> Any:
    """Declare a short list of another noun, which cannot grow past `most`, as a plain list."""
    request = PageRequest(model, default, limit=most, condition=where, by=by, through=through, live=live)

    async def resolve(root: Any, info: Info) -> Any:
        return (await info.context.page_of(request, root.id)).rows

    return strawberry.field(resolver=resolve, description=description, metadata={"read": FewOf(model, request)})
