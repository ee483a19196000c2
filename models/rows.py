"""Rows that are read to be edited: locked, or hoped to be left alone by others for the moment that it takes."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from tortoise import fields
from tortoise.models import Model

from models.postgres import Unit, connected

Row = TypeVar("Row", bound=Model)


async def read(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace."""
    return _first(model, await connected().read(_plain(model), [key, workspace_id]))


async def select(model: type[Row], sql: str, *values: Any) -> list[Row]:
    """Return the rows that a statement names, in which `{columns}`, before all others, stands for the model's."""
    found = await connected().read(sql.format(columns=_columns(model)), values)
    return [_made(model, row) for row in found]


async def select_to_share(model: type[Row], sql: str, *values: Any) -> list[Row]:
    """Return rows as `select` does, that others may refer to as well, but nobody change, until the transaction ends."""
    found = await connected().fetch(f"{sql.format(columns=_columns(model))} FOR SHARE", values)
    return [_made(model, row) for row in found]


async def to_share(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace that others may refer to as well, but nobody change, until the transaction ends."""
    return _first(model, await connected().fetch(f"{_plain(model)} FOR SHARE", [key, workspace_id]))


async def make_ready(model: type[Row], keys: Sequence[UUID], *, workspace_id: UUID) -> None:
    """Lock rows of a workspace in the order of their keys and read them, for the parts that edit one each."""
    client = connected()
    await client.fetch(_lock_all(model), [workspace_id, list(keys)])
    # Read by another statement, so that what stands beside a row is as whoever had it before has left it.
    for found in await client.fetch(_locked_before(model), [workspace_id, list(keys)]):
        if isinstance(client, Unit):
            beside = {name: found[name] for name in _beside(model)}
            client.make_ready(_made(model, found), beside)


async def of_workspace(model: type[Row], workspace_id: UUID) -> dict[UUID, Row]:
    """Return all rows of a workspace by their keys, for nouns that have few."""
    found = await connected().read(_all(model), [workspace_id])
    return {row["id"]: _made(model, row) for row in found}


async def to_edit(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace, which stays as it is until the transaction ends or else refuses to be written.

    A hopeful transaction reads in the same statement what the model names in `BESIDE`.
    """
    client = connected()
    if isinstance(client, Unit) and (ready := client.take_ready(model, key)) is not None:
        known: Row = ready
        return known
    if isinstance(client, Unit) and client.is_hopeful:
        found = await client.read(_unlocked(model), [key, workspace_id])
        if (row := _first(model, found)) is not None:
            beside = {name: found[0][name] for name in _beside(model)}
            client.hoped(row, read_as=found[0]["xmin"], beside=beside)
        return row
    row = _first(model, await client.fetch(_locked(model), [key, workspace_id]))
    if row is not None and isinstance(client, Unit):
        client.held(row)
    return row


def read_beside(key: UUID, name: str) -> Any:
    """Return what was read in the same statement as the row of this key; None where it has to be read now."""
    client = connected()
    return client.beside(key, name) if isinstance(client, Unit) else None


def _first(model: type[Row], found: list[asyncpg.Record]) -> Row | None:
    return _made(model, found[0]) if found else None


def _made(model: type[Row], found: asyncpg.Record) -> Row:
    """Return a record as a row, as Tortoise does in three times the time; its columns come first."""
    names, conversions = _reading(model)
    row = model.__new__(model)
    state = row.__dict__
    state["_partial"], state["_saved_in_db"], state["_custom_generated_pk"] = False, True, True
    state["_await_when_save"] = {}
    state.update(zip(names, found.values(), strict=False))
    for name, convert in conversions:
        if (value := state[name]) is not None:
            state[name] = convert(value)
    return row


@cache
def _reading(model: type[Model]) -> tuple[list[str], list[tuple[str, Callable[[Any], Any]]]]:
    """Return the fields of a model in the order of its columns, and what those need that the driver leaves as text."""
    meta = model._meta
    conversions: list[tuple[str, Callable[[Any], Any]]] = [
        (name, field.field_type) for _, name, field in meta.db_default_fields
    ]
    conversions += [
        (name, field.to_python_value)
        for _, name, field in meta.db_complex_fields
        if not isinstance(field, fields.DatetimeField)
    ]
    return list(meta.fields_db_projection), conversions


@cache
def _plain(model: type[Model]) -> str:
    return f"SELECT {_columns(model)} {_where(model)}"


@cache
def _all(model: type[Model]) -> str:
    return f'SELECT {_columns(model)} FROM "{model._meta.db_table}" WHERE "workspace_id"=$1'


@cache
def _locked(model: type[Model]) -> str:
    return f"SELECT {_columns(model)} {_where(model)} FOR NO KEY UPDATE"


@cache
def _lock_all(model: type[Model]) -> str:
    return f'SELECT 1 {_where_any(model)} ORDER BY "id" FOR NO KEY UPDATE'


@cache
def _locked_before(model: type[Model]) -> str:
    return f"SELECT {_columns(model)}{_besides(model)} {_where_any(model)}"


@cache
def _unlocked(model: type[Model]) -> str:
    return f"SELECT {_columns(model)}, xmin{_besides(model)} {_where(model)}"


@cache
def _columns(model: type[Model]) -> str:
    return ", ".join(f'"{column}"' for column in model._meta.fields_db_projection.values())


def _where(model: type[Model]) -> str:
    return f'FROM "{model._meta.db_table}" WHERE "id"=$1 AND "workspace_id"=$2'


def _where_any(model: type[Model]) -> str:
    return f'FROM "{model._meta.db_table}" WHERE "workspace_id"=$1 AND "id" = ANY($2::uuid[])'


def _besides(model: type[Model]) -> str:
    return "".join(f", ({sql}) AS {name}" for name, sql in _beside(model).items())


def _beside(model: type[Model]) -> Mapping[str, str]:
    beside: Mapping[str, str] = getattr(model, "BESIDE", {})
    return beside
