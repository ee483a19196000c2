"""Imports in the schema: files of leads, how far they are, and what was wrong with their rows."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
import yaml

from domain import files, imports
from engine.pages import Order
from models.imports import Import as ImportRow
from models.imports import ImportFault as ImportFaultRow
from models.imports import ImportKind, ImportStatus
from models.users import User as UserRow
from schema import fields, ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import MutationInput, Payload, UserError, reports_user_errors, user_errors
from schema.fields import batch, by_id, column, computed, noun, relation, shown
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.inputs import about
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import URL

if TYPE_CHECKING:
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)


async def _faults_urls(rows: list[Any], info: Info) -> list[str | None]:
    now = info.context.now
    return [files.download_url(row.faults_file_id, now=now) if row.faults_file_id else None for row in rows]


def _mapping(mapping: dict[str, Any]) -> str | None:
    """Return a mapping as text that importLeads takes."""
    return yaml.safe_dump(mapping, allow_unicode=True, sort_keys=False, width=120) if mapping else None


@noun(ImportFaultRow, description="A row of a file that was skipped, and why; a row with several faults has several.")
class ImportFault(Node):
    line: float = fields.column("The line of the file on which the row begins, the header being line 1.")
    column: str | None = fields.column("The column that it is about.")
    value: str | None = fields.column("What stands there, at most 200 characters of it.")
    reason: str = fields.column("What is wrong with it.")


@noun(ImportRow, description="A file that is taken row by row.")
class Import(Node):
    kind: ImportKind = column("What the file holds.")
    status: ImportStatus = column("How it stands.")
    file_name: str = column("The name of the file.")
    mapping: str | None = computed(
        _mapping,
        "Which column is what, as YAML; null until a file without a mapping was looked at.",
        needs=("mapping",),
    )
    total_rows: float | None = column("How many rows the file has, once that is known.")
    done_rows: float = column("How many rows have been taken or skipped.", of="next_row")
    created_rows: float = column("How many became new objects.")
    updated_rows: float = column("How many changed an object.")
    unchanged_rows: float = column("How many said what was known.")
    skipped_rows: float = column("How many were skipped, each with a reason.")
    error: str | None = column(
        "Why it could not go on: a code and a sentence a line.", deprecation="Use errors, where codes stand alone."
    )
    errors: list[UserError] = computed(
        user_errors, "Why it could not go on; empty where it could. Fields are those of its mapping.", needs=("errors",)
    )
    created_at: datetime = column("When it was asked for.")
    started_at: datetime | None = column("When its first row was taken.")
    finished_at: datetime | None = column("When it ended.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked for it; null where it was the server's operator.", by="user_id"
    )
    faults: Connection[ImportFault] = connection(
        "ImportFault",
        "schema.imports",
        model=ImportFaultRow,
        by="of_import_id",
        default=(Order("line"),),
        plain=True,
        description="What was wrong with its rows, in their order; of 10,000 at most, all being counted.",
    )
    faults_url: URL | None = batch(
        _faults_urls,
        "Where its faults can be fetched as CSV, for 15 minutes and by whoever has the link; null where there are "
        "none, and until a moment after it has ended.",
        needs=("faults_file_id",),
    )


@strawberry.input(description="Which imports.")
class ImportFilter:
    id: IDFilter | None = on("By id.", "id", noun="Import")
    kind: EnumFilter[ImportKind] | None = on("By what the file holds.", "kind")
    status: EnumFilter[ImportStatus] | None = on("By how it stands.", "status")
    user: IDFilter | None = on("By who asked for it.", "user_id", noun="User")
    created_at: DateTimeFilter | None = on("By when it was asked for.", "created_at")
    and_: "list[ImportFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ImportFilter] | None" = junction("or", "Any of these passes.")
    not_: "ImportFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What imports can be ordered by.")
class ImportOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was asked for.")


@strawberry.input(description="An order of imports.")
class ImportOrder:
    field: ImportOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ImportQueries:
    imports: Connection[Import] = connection(
        "Import", "schema.imports", model=ImportRow, default=NEWEST, description="The imports."
    )

    one_import: Import | None = by_id(ImportRow, "Import", "An import.", name="import")


@strawberry.input(description="A file of leads to import.")
class ImportLeadsInput(MutationInput):
    file_id: strawberry.ID = strawberry.field(description="The uploaded file, as createUpload named it.")
    mapping: str | None = strawberry.field(
        default=None,
        description="Which column is what, as YAML: see docs/importing.md. At most 200,000 characters. Left out, the "
        "file is taken as its columns suggest, and those that mean nothing here become custom fields; the import's "
        "mapping says how.",
    )


@strawberry.type(description="What importLeads answers.")
class ImportLeadsPayload(Payload):
    import_: Import | None = strawberry.field(
        name="import", default=None, description="The import, which a worker begins at once; null on errors."
    )


@strawberry.type
class ImportMutations:
    @strawberry.mutation(
        description="Import leads from an uploaded file. Rows are known again by their ids, so that the same file "
        "changes nothing and a newer one changes what changed in it; importProgress tells how it gets on."
    )
    @reports_user_errors
    async def import_leads(
        self, info: Info, input: Annotated[ImportLeadsInput, about("The file and its mapping.")]
    ) -> ImportLeadsPayload:
        row = await imports.start(
            info.context.actor,
            ImportKind.LEADS,
            file_id=ids.decode(input.file_id, "File", field="fileId"),
            mapping_text=input.mapping,
            now=info.context.now,
        )
        return ImportLeadsPayload(import_=shown(row))
