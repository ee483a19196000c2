"""How types declare where a field comes from.

Each helper returns an ordinary Strawberry field with an ordinary, batched resolver; its metadata under `"read"`
says the same as data, which is what the reading engine compiles.
"""

from collections.abc import Awaitable, Callable, Sequence
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, TypeVar

import strawberry
from tortoise.models import Model

from domain.unset import UNSET
from engine.reads import MODELS, Batch, Column, Computed, Group, One, Relation
from schema import ids
from schema.context import Info

T = TypeVar("T", bound=type)


def column(description: str, *, of: str | None = None, deprecation: str | None = None) -> Any:
    """Declare a field that is a column; `of` names it where the field is called otherwise."""
    if of is None:
        return strawberry.field(description=description, metadata={"read": Column("")}, deprecation_reason=deprecation)

    def resolve(root: Any) -> Any:
        return getattr(root, of)

    return strawberry.field(resolver=resolve, description=description, metadata={"read": Column(of)})


def group(of: Callable[..., Any], description: str, **columns: str) -> Any:
    """Declare a field that is an object of this type made of columns; null where one of them is."""

    def resolve(root: Any) -> Any:
        values = {name: getattr(root, column) for name, column in columns.items()}
        return None if None in values.values() else of(**values)

    return strawberry.field(resolver=resolve, description=description, metadata={"read": Group(columns)})


def relation(model: type[Model], description: str, *, by: str) -> Any:
    """Declare a field that is the row of another noun, by the key in column `by`."""

    async def resolve(root: Any, info: Info) -> Any:
        return await info.context.row(model, getattr(root, by))

    return strawberry.field(resolver=resolve, description=description, metadata={"read": Relation(model, by)})


def computed(fn: Callable[..., Any], description: str, *, needs: tuple[str, ...]) -> Any:
    """Declare a field that is a pure function of columns, given in the order of `needs`."""

    def resolve(root: Any) -> Any:
        return fn(*(getattr(root, name) for name in needs))

    return strawberry.field(resolver=resolve, description=description, metadata={"read": Computed(needs, fn)})


def batch(fn: Callable[..., Awaitable[Sequence[Any]]], description: str, *, needs: tuple[str, ...] | None = ()) -> Any:
    """Declare a field that is computed for many rows at once: `await fn(rows, info, **arguments)`.

    Its arguments are those of `fn` after the first two; `needs` names the columns that `fn` looks at beside the id,
    None being all.
    """
    _, *others = signature(fn).parameters.values()

    async def resolve(root: Any, info: Info, **arguments: Any) -> Any:
        async def load(keys: list[Any]) -> Sequence[Any]:
            return await fn(keys, info, **arguments)

        return await info.context.loader((fn, repr(arguments)), load).load(root)

    root = Parameter("root", Parameter.POSITIONAL_OR_KEYWORD, annotation=Any)
    resolve.__signature__ = Signature([root, *others])  # type: ignore[attr-defined]
    resolve.__annotations__ = {"root": Any} | {other.name: other.annotation for other in others}
    return strawberry.field(resolver=resolve, description=description, metadata={"read": Batch(needs, fn)})


def by_id(model: type[Model], noun: str, description: str, *, name: str | None = None) -> Any:
    """Declare a root field that is the row with a global id; null where it does not exist for the actor."""

    def key(id: strawberry.ID) -> Any:
        return ids.decode(id, noun)

    async def resolve(
        root: Any, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Any:
        return await info.context.row(model, key(id))

    return strawberry.field(resolver=resolve, description=description, name=name, metadata={"read": One(model, key)})


def noun(model: type[Model], *, description: str, name: str | None = None) -> Callable[[T], T]:
    """Declare a GraphQL type whose roots are rows of a model."""

    def declare(cls: T) -> T:
        cls.is_type_of = classmethod(lambda own, obj, info: isinstance(obj, model | own))  # type: ignore[attr-defined]
        declared = strawberry.type(cls, description=description, name=name)
        if any(base.__name__ == "Node" for base in declared.__mro__):
            MODELS[declared.__name__] = model
        return declared

    return declare


def shown(row: Any) -> Any:
    """Return a row as the GraphQL type that shows it: roots are rows, and types only say how to read them."""
    return row


def optional(description: str, *, name: str | None = None) -> Any:
    """Declare an input field that may be left out; left out, it changes nothing."""
    return strawberry.field(default=strawberry.UNSET, description=description, name=name)


def given(value: Any) -> Any:
    """Return an input field's value as the domain takes it: its own mark where it was left out."""
    return UNSET if value is strawberry.UNSET else value


def given_id(value: Any, noun: str, *, field: str) -> Any:
    """Return the key of a global id as the domain takes it: None clears, and left out it is the domain's own mark."""
    return given(value) if value is None or value is strawberry.UNSET else ids.decode(value, noun, field=field)
