"""Time limits that share a timer: each ends its own block, in time, and nobody else's."""

import asyncio

import pytest

from schema.deadlines import Deadline, Deadlines, _lasting


async def lasting(seconds: float, limit: float) -> str:
    with Deadline(limit):
        await asyncio.sleep(seconds)
    return "done"


async def test_each_ends_in_its_own_time() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def ended(wait: float) -> float:
        await asyncio.sleep(wait)
        begun = loop.time()
        with pytest.raises(TimeoutError):
            await lasting(30, 0.05)
        return loop.time() - begun

    *lasted, done = await asyncio.gather(ended(0), ended(0), ended(0.03), lasting(0, 0.05))
    assert min(lasted) >= 0.05 and done == "done"
    assert loop.time() - began < 20


async def test_those_who_are_done_are_forgotten_and_the_next_one_is_looked_for() -> None:
    assert await lasting(0, 0.04) == "done"
    await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError):
        await lasting(30, 0.04)
    among: Deadlines = _lasting(0.04)
    assert not among._running and among._timer is None


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(lasting(30, 20))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _lasting(20)._running


async def test_a_failure_within_is_told_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), Deadline(20):
        raise ZeroDivisionError


async def test_one_within_another_ends_alone() -> None:
    with Deadline(20):
        with pytest.raises(TimeoutError):
            await lasting(30, 0.01)
        assert await lasting(0, 1) == "done"


def test_a_new_loop_begins_anew() -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(lasting(30, 0.01))
    loop = asyncio.new_event_loop()
    task = loop.create_task(lasting(30, 0.02))
    loop.call_soon(loop.stop)
    loop.run_forever()
    with pytest.raises(TimeoutError):
        asyncio.run(lasting(30, 0.02))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
