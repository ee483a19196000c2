"""Numbers of documents: without gaps, whoever comes at once and whoever fails."""

import asyncio
from datetime import date
from uuid import UUID

import pytest

from domain import number_series
from models.database import transaction
from models.selling import NumberedKind, NumberSeries
from tests.factories import workspace

pytestmark = pytest.mark.usefixtures("db")
DAY = date(2026, 3, 2)


class Undone(Exception):
    pass


async def take(workspace_id: UUID, *, undone: bool = False) -> str:
    async with transaction():
        number = await number_series.next(workspace_id, NumberedKind.INVOICE, DAY)
        await asyncio.sleep(0)
        if undone:
            raise Undone
    return number


async def test_every_workspace_kind_and_year_counts_from_one() -> None:
    home, other = await workspace(), await workspace()

    numbers = [
        await number_series.next(home.id, NumberedKind.INVOICE, DAY),
        await number_series.next(home.id, NumberedKind.INVOICE, date(2026, 12, 31)),
        await number_series.next(home.id, NumberedKind.INVOICE, date(2027, 1, 1)),
        await number_series.next(home.id, NumberedKind.CREDIT_NOTE, DAY),
        await number_series.next(home.id, NumberedKind.PROPOSAL, DAY),
        await number_series.next(home.id, NumberedKind.CONTRACT, DAY),
        await number_series.next(other.id, NumberedKind.INVOICE, DAY),
    ]

    assert numbers == [
        "INV-2026-0001",
        "INV-2026-0002",
        "INV-2027-0001",
        "CN-2026-0001",
        "P-2026-0001",
        "C-2026-0001",
        "INV-2026-0001",
    ]


async def test_a_number_has_four_digits_and_more_where_it_needs_them() -> None:
    home = await workspace()
    await NumberSeries.create(workspace_id=home.id, kind=NumberedKind.INVOICE, year=2026, newest=9_999)

    assert await take(home.id) == "INV-2026-10000"


async def test_an_undone_transaction_gives_its_number_back() -> None:
    home = await workspace()
    with pytest.raises(Undone):
        await take(home.id, undone=True)

    assert await take(home.id) == "INV-2026-0001"


async def test_many_at_once_of_whom_some_fail_leave_no_gap() -> None:
    home = await workspace()

    outcomes = await asyncio.gather(
        *(take(home.id, undone=turn % 3 == 0) for turn in range(48)), return_exceptions=True
    )

    taken = sorted(outcome for outcome in outcomes if isinstance(outcome, str))
    assert taken == [number_series.written(NumberedKind.INVOICE, 2026, number) for number in range(1, 33)]
    assert sum(isinstance(outcome, Undone) for outcome in outcomes) == 16
