"""Look-ups that go together: nobody is told what was true before they asked, nobody bears what another one did."""

import asyncio
from collections.abc import Sequence

import pytest

from models.lookups import Lookups, Row


class Table:
    """Rows that are read when the test lets them be."""

    def __init__(self, **rows: str) -> None:
        self.rows = rows
        self.asked: list[set[str]] = []
        self.failing: Exception | None = None
        self._gates: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def read(self, keys: Sequence[str]) -> list[Row]:
        assert len(set(keys)) == len(keys)
        self.asked.append(set(keys))
        found = [(key, self.rows[key]) for key in keys if key in self.rows]
        gate = asyncio.Event()
        self._gates.put_nowait(gate)
        await gate.wait()
        if self.failing:
            raise self.failing
        return found

    async def let(self) -> None:
        """Let the next statement that was sent be answered, and whoever waits for it go on."""
        (await self._gates.get()).set()
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def table() -> Table:
    return Table(ann="Ann", bea="Bea")


@pytest.fixture
def lookups(table: Table) -> Lookups:
    return Lookups(table.read)


async def begun(lookups: Lookups, *keys: str) -> "list[asyncio.Task[Row | None]]":
    """Begin to look up these keys, in this order."""
    tasks = [asyncio.create_task(lookups.find(key)) for key in keys]
    await asyncio.sleep(0)
    return tasks


async def test_who_is_alone_does_not_wait(table: Table, lookups: Lookups) -> None:
    for name in ("ann", "carl"):
        [asking] = await begun(lookups, name)
        assert table.asked[-1] == {name}
        await table.let()
        assert await asking == ((name, "Ann") if name == "ann" else None)


async def test_those_who_come_meanwhile_go_together(table: Table, lookups: Lookups) -> None:
    first, *others = await begun(lookups, "ann", "bea", "carl", "bea")
    assert table.asked == [{"ann"}]
    await table.let()
    assert await first == ("ann", "Ann")
    assert table.asked == [{"ann"}, {"bea", "carl"}]
    await table.let()
    assert await asyncio.gather(*others) == [("bea", "Bea"), None, ("bea", "Bea")]


async def test_nobody_is_told_what_was_true_before_they_asked(table: Table, lookups: Lookups) -> None:
    [before] = await begun(lookups, "ann")
    del table.rows["ann"]
    [after] = await begun(lookups, "ann")
    await table.let()
    assert await before == ("ann", "Ann")
    await table.let()
    assert await after is None


async def test_a_failure_is_told_to_those_who_asked_together_and_to_nobody_else(table: Table, lookups: Lookups) -> None:
    first, second, third = await begun(lookups, "ann", "bea", "ann")
    await table.let()
    assert await first == ("ann", "Ann")
    table.failing = ConnectionError("gone")
    [late] = await begun(lookups, "bea")
    await table.let()
    for asking in (second, third):
        with pytest.raises(ConnectionError, match="gone"):
            await asking
    table.failing = None
    await table.let()
    assert await late == ("bea", "Bea")


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_who_goes_away_takes_nobody_along(table: Table, lookups: Lookups, number: int) -> None:
    asking = await begun(lookups, "ann", "bea", "ann")
    gone = asking.pop(number)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    answers = asyncio.gather(*asking)
    while not answers.done():
        await table.let()
    assert (
        await answers
        == [("ann", "Ann"), ("bea", "Bea"), ("ann", "Ann")][:number]
        + [
            ("ann", "Ann"),
            ("bea", "Bea"),
            ("ann", "Ann"),
        ][number + 1 :]
    )


async def test_nothing_is_asked_for_those_who_have_gone(table: Table, lookups: Lookups) -> None:
    first, *others = await begun(lookups, "ann", "bea", "carl")
    for gone in others:
        gone.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await table.let()
    assert await first == ("ann", "Ann")
    [asking] = await begun(lookups, "bea")
    await table.let()
    assert await asking == ("bea", "Bea")
    assert table.asked == [{"ann"}, {"bea"}]
