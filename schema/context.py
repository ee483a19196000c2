"""What a resolver finds in `info.context`: who asks, when, and the loaders of this operation."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from tortoise.models import Model

from domain.actors import Actor, ActorKind
from domain.document_templates import Typesetting
from domain.errors import Unauthenticated
from engine.pages import Page, PageRequest
from engine.records import counts, pages, rows
from schema.live_watches import Watch
from settings import settings

Renew: TypeAlias = Callable[[], Awaitable[Actor]]


class Live(Protocol):
    """The live hub, as the schema sees it."""

    def watch(
        self, actor: Actor, watch: Watch, *, after: str | None = None, renew: Renew | None = None
    ) -> AsyncIterable[Any]:
        """Return what is told of a watch, after a cursor if one is given; raises ValueError for what is none."""
        ...


class Throttle(NamedTuple):
    """How somebody's budget stands, in points of cost."""

    maximum: int
    available: int
    restore_rate: int


class Budget(Protocol):
    """What actors may spend, as the schema sees it."""

    async def spend(self, who: str, cost: int) -> Throttle | None: ...


class Loader(DataLoader[Any, Any]):
    """A loader whose answers outlive who asks for them.

    A field that fails takes the fields beside it along, and what these wait for others may be waiting for, too.
    """

    def load(self, key: Any) -> Awaitable[Any]:
        return asyncio.shield(super().load(key))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Context:
    """One operation's context; a WebSocket's operations each get their own by `fresh`.

    `refused` is why a credential that came along was not accepted; it is raised where an actor is needed. `renew`
    loads the identity again, for what outlives the moment; it raises what ended it. With `engine` false everything
    is executed by graphql-core; `compiled`, `why_not` and `way` say afterwards which way it went, and `cost` what
    the answer came to.
    """

    identity: Actor | None = None
    refused: Exception | None = None
    renew: Renew | None = None
    live: Live | None = None
    budget: Budget | None = None
    trials: Typesetting | None = None
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    idempotency_key: str | None = None
    connection_params: dict[str, Any] | None = None
    resume_after: str | None = None
    engine: bool = field(default_factory=lambda: settings().engine)
    compiled: bool | None = None
    why_not: str = ""
    way: str = ""
    cost: int = 0
    now: datetime = field(default_factory=_now)
    loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Return who asks; raises Unauthenticated, or why their credential was refused.

        A customer's link signs in to what it is for, and to nothing that asks who acts.
        """
        if self.identity is None or self.identity.kind is ActorKind.LINK:
            raise self.refused or Unauthenticated()
        return self.identity

    @property
    def typesetting(self) -> Typesetting:
        """What tries templates of documents."""
        assert self.trials, "nothing typesets documents here"
        return self.trials

    def fresh(self) -> "Context":
        """Return a context for another operation of the same connection."""
        return replace(self, now=_now(), loaders={})

    def loader(self, key: Any, load: Any) -> DataLoader[Any, Any]:
        """Return this operation's loader of a kind; `load` takes a list of keys and returns their values."""
        if key not in self.loaders:
            self.loaders[key] = Loader(load_fn=load)
        return self.loaders[key]

    async def row(self, model: type[Model], key: UUID | None) -> Any:
        """Load a row by its key, in one statement with its like; None where it does not exist for the actor."""
        if key is None:
            return None

        async def load(keys: list[UUID]) -> list[Any]:
            found = await rows(model, keys, self.actor)
            return [found.get(key) for key in keys]

        return await self.loader(model, load).load(key)

    async def rows(self, model: type[Model], keys: Sequence[UUID | None]) -> list[Any]:
        """Load rows by their keys, in one statement with their like; None for those that do not exist for the actor."""
        return list(await asyncio.gather(*(self.row(model, key) for key in keys)))

    async def page_of(self, request: PageRequest, parent: UUID) -> Page:
        """Load a page of a parent's list, in one statement with those of its siblings."""

        async def load(parents: list[UUID]) -> list[Page]:
            return await pages(request, self.actor, parents)

        return await self.loader(("page", request), load).load(parent)  # type: ignore[no-any-return]

    async def count_of(self, request: PageRequest, parent: UUID) -> int:
        """Count a parent's list, in one statement with those of its siblings."""

        async def load(parents: list[UUID]) -> list[int]:
            return await counts(request, self.actor, parents)

        return await self.loader(("count", request), load).load(parent)  # type: ignore[no-any-return]


Info: TypeAlias = strawberry.Info[Context, None]
