"""Rows that are read to be edited: locked, or hoped to be left alone by others for the moment that it takes."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from tortoise.models import Model

from models.postgres import Unit, connected

Row = TypeVar("Row", bound=Model)


async def read(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace."""
    return _made(model, await connected().read(_plain(model), [key, workspace_id]))


async def select(model: type[Row], sql: str, *values: Any) -> list[Row]:
    """Return the rows that a statement names, in which `{columns}` stands for the model's."""
    found = await connected().read(sql.format(columns=_columns(model)), values)
    return [model._init_from_db(**row) for row in found]


async def to_share(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace that others may refer to as well, but nobody change, until the transaction ends."""
    return _made(model, await connected().fetch(f"{_plain(model)} FOR SHARE", [key, workspace_id]))


async def of_workspace(model: type[Row], workspace_id: UUID) -> dict[UUID, Row]:
    """Return all rows of a workspace by their keys, for nouns that have few."""
    found = await connected().read(_all(model), [workspace_id])
    return {row["id"]: model._init_from_db(**row) for row in found}


async def to_edit(model: type[Row], key: UUID, *, workspace_id: UUID) -> Row | None:
    """Return a row of a workspace, which stays as it is until the transaction ends or else refuses to be written.

    A hopeful transaction reads in the same statement what the model names in `BESIDE`.
    """
    client = connected()
    if isinstance(client, Unit) and client.is_hopeful:
        found = await client.read(_unlocked(model), [key, workspace_id])
        if (row := _made(model, found)) is not None:
            beside = {name: found[0][name] for name in _beside(model)}
            client.hoped(row, read_as=found[0]["xmin"], beside=beside)
        return row
    row = _made(model, await client.fetch(_locked(model), [key, workspace_id]))
    if row is not None and isinstance(client, Unit):
        client.held(row)
    return row


def read_beside(key: UUID, name: str) -> Any:
    """Return what was read in the same statement as the row of this key; None where it has to be read now."""
    client = connected()
    return client.beside(key, name) if isinstance(client, Unit) else None


def _made(model: type[Row], found: list[asyncpg.Record]) -> Row | None:
    return model._init_from_db(**found[0]) if found else None


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
def _unlocked(model: type[Model]) -> str:
    beside = "".join(f", ({sql}) AS {name}" for name, sql in _beside(model).items())
    return f"SELECT {_columns(model)}, xmin{beside} {_where(model)}"


@cache
def _columns(model: type[Model]) -> str:
    return ", ".join(f'"{column}"' for column in model._meta.fields_db_projection.values())


def _where(model: type[Model]) -> str:
    return f'FROM "{model._meta.db_table}" WHERE "id"=$1 AND "workspace_id"=$2'


def _beside(model: type[Model]) -> Mapping[str, str]:
    beside: Mapping[str, str] = getattr(model, "BESIDE", {})
    return beside
