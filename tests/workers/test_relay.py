"""Positions are gapless, jobs are written once and everybody is told, whoever is killed meanwhile."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from adapters import live
from adapters import redis as redis_adapter
from models.workspaces import Workspace
from tests.factories import workspace
from tests.workers.conftest import Database, Start, record, until
from workers import relay
from workers.relay import Announcer, Batch, Floor, Waiting, relay_batch


@pytest.fixture
async def workspaces(database: Database) -> list[Workspace]:
    return [await workspace(), await workspace()]


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Any]:
    """A connection as the relay's own is."""
    one = await asyncpg.connect(database.url, server_settings=relay.SESSION)
    yield one
    await one.close()


def ids(rows: list[Workspace]) -> list[UUID]:
    return [row.id for row in rows]


async def assert_whole(database: Database, *, events: int) -> None:
    """Check that every workspace has the positions 1 to n, its head says n, and every event has one job."""
    positions = await database.positions()
    assert sum(len(given) for given in positions.values()) == events
    heads = {row["workspace_id"]: row["position"] for row in await database.rows("SELECT * FROM event_head")}
    for workspace_id, given in positions.items():
        assert sorted(position or 0 for position in given) == list(range(1, len(given) + 1))
        assert heads[workspace_id] == len(given)
    jobs = await database.rows("SELECT arguments ->> 'event_ids' AS events, count(*) AS jobs FROM job GROUP BY 1")
    assert len(jobs) == events
    assert {row["jobs"] for row in jobs} == {1}


async def test_positions_follow_the_order_of_events_in_each_workspace(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    await record(database, ids(workspaces), events=2500)
    await start("relay").ready()
    await until(lambda: _all_placed(database))
    await assert_whole(database, events=2500)
    for given in (await database.positions()).values():
        assert given == sorted(given, key=lambda position: position or 0)


async def test_a_relay_killed_between_batches_leaves_no_gap_and_no_job_twice(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    await record(database, ids(workspaces), events=10_000)
    first = await start("relay").ready()
    await until(lambda: _some_placed(database))
    first.kill()
    assert await database.pending() > 0
    await start("relay").ready()
    await until(lambda: _all_placed(database))
    await assert_whole(database, events=10_000)


async def test_a_relay_killed_in_the_middle_of_a_transaction_leaves_nothing_of_it(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    blocker = await asyncpg.connect(database.url)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE job IN EXCLUSIVE MODE")
            await record(database, ids(workspaces), events=10)
            first = await start("relay").ready()
            await until(lambda: _relay_waits_for_a_lock(database))
            first.kill()
            second = await start("relay").ready()
            assert await database.pending() == 10
            await until(lambda: _relay_waits_for_a_lock(database))
    finally:
        await blocker.close()
    await until(lambda: _all_placed(database))
    await assert_whole(database, events=10)
    assert second.lives()


async def test_what_an_operation_has_done_itself_is_no_job(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    await record(database, [workspaces[0].id], events=4, name="lead.updated")
    for position, done in ((1, '["score_leads"]'), (2, '["another"]'), (3, "[]")):
        await database.rows(
            "UPDATE event SET data = jsonb_build_object('tasks_done', $2::jsonb) WHERE seq = $1", position, done
        )
    batch = await relay_batch(connection)
    [job] = await database.rows("SELECT task, arguments ->> 'event_ids' AS event_ids FROM job")
    assert job["task"] == "score_leads"
    assert job["event_ids"] == json.dumps([str(row["id"]) for row in batch.rows if row["position"] > 1])
    assert [row["position"] for row in batch.rows] == [1, 2, 3, 4]


async def test_the_second_relay_takes_over_from_a_killed_one(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    first = await start("relay").ready()
    second = start("relay")
    await second.says("stands by")
    await record(database, ids(workspaces), events=100)
    await until(lambda: _all_placed(database))
    first.kill()
    killed = time.monotonic()
    await record(database, ids(workspaces), events=100)
    await until(lambda: _all_placed(database))
    assert time.monotonic() - killed < 2
    await assert_whole(database, events=200)


async def test_an_event_committed_late_with_a_lower_seq_comes_after_those_already_placed(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    late = await asyncpg.connect(database.url)
    transaction = late.transaction()
    await transaction.start()
    await late.execute(
        """
        INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, data, occurred_at)
        VALUES (gen_random_uuid(), $1, 'bell.rang', 'bell', gen_random_uuid(), '{}', '{}', now())
        """,
        workspaces[0].id,
    )
    await record(database, [workspaces[0].id], events=2)
    await relay_batch(connection)
    await transaction.commit()
    await late.close()
    assert await database.positions() == {workspaces[0].id: [None, 1, 2]}
    await relay_batch(connection)
    assert await database.positions() == {workspaces[0].id: [3, 1, 2]}


async def test_the_floor_waits_for_transactions_that_may_yet_commit_a_lower_seq(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    late = await asyncpg.connect(database.url)
    transaction = late.transaction()
    await transaction.start()
    await late.execute("SELECT pg_current_xact_id()")
    first = await late.fetchval("SELECT nextval(pg_get_serial_sequence('event', 'seq'))")
    await record(database, [workspaces[0].id], events=50)
    await relay_batch(connection)
    floor = Floor(every_seconds=0)
    for _ in range(4):
        await floor.rise(connection)
    assert floor.seq < first
    await transaction.commit()
    await late.close()

    async def risen() -> bool:
        await floor.rise(connection)
        return bool(floor.next_start() == first + 50)

    # Transactions in other databases of the server hold it down as well, for as long as they last.
    await until(risen)
    await record(database, [workspaces[0].id], events=1)
    for _ in range(4):
        await floor.rise(connection)
    assert floor.next_start() == first + 50
    assert len((await relay_batch(connection, after=floor.next_start())).rows) == 1


async def test_a_batch_is_found_by_indexes_alone_beside_many_events_that_have_their_position(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    await record(database, ids(workspaces), events=30_000)
    while (await relay_batch(connection)).rows:
        pass
    await database.rows("ANALYZE event")
    await record(database, ids(workspaces), events=3)
    plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + relay.POSITION.replace("$1", "0")))
    assert "Index Scan using event_pending_idx" in plan
    assert "Index Scan using event_pkey" in plan
    assert "Seq Scan" not in plan


async def test_subscribers_hear_of_events_in_order_and_of_many_only_where_they_end(
    database: Database, redis_url: str, workspaces: list[Workspace], connection: Any
) -> None:
    few, many = ids(workspaces)
    client = redis_adapter.connect(redis_url)
    async with client.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(live.channel(few), live.channel(many))
        await until(lambda: _subscribed(client, live.channel(many)))
        await record(database, [few], events=3)
        await record(database, [many], events=live.MOST_EVENTS + 1)
        await Announcer(client).announce(await relay_batch(connection))
        heard = [live.decode((await _next_message(subscription))["data"]) for _ in range(2)]
    await client.aclose()
    by_workspace = {batch.workspace_id: batch for batch in heard}
    assert (by_workspace[many].first, by_workspace[many].last) == (1, live.MOST_EVENTS + 1)
    assert by_workspace[many].events is None
    told = by_workspace[few].events
    assert told is not None
    assert [event.position for event in told] == [1, 2, 3]
    stored = await database.rows("SELECT * FROM event WHERE workspace_id = $1 ORDER BY position", few)
    assert [(event.id, event.occurred_at) for event in told] == [(row["id"], row["occurred_at"]) for row in stored]
    assert told[0].data == {}
    assert told[0].actor == {"kind": "SYSTEM"}


async def test_a_batch_task_gets_one_job_for_many_events_of_a_workspace_and_bulk_ones_a_queue_of_their_own(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    first, second = ids(workspaces)
    await record(database, [first, second], events=60, name="crowd.rang")
    await record(database, [first], events=20, name="crowd.rang")
    await database.rows("UPDATE event SET data = '{\"bulk\": true}' WHERE workspace_id = $1", second)
    await start("relay").ready()
    await until(lambda: _all_placed(database))
    jobs = await database.rows(
        "SELECT workspace_id, queue, task, jsonb_array_length(arguments -> 'event_ids') AS events, "
        "jsonb_array_length(arguments -> 'subject_ids') AS subjects FROM job ORDER BY queue DESC"
    )
    assert [tuple(job) for job in jobs] == [
        (first, "default", "note_all", 50, 40),
        (second, "bulk", "note_all", 30, 30),
    ]


async def test_a_burst_about_one_subject_is_one_job_until_that_begins(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    waiting = Waiting()

    async def burst(events: int, **columns: Any) -> list[Any]:
        await record(database, ids(workspaces)[:1], events=events, name="lead.activity_logged")
        about = {"subject_id": UUID(int=7), "data": "{}"} | columns
        await database.rows(
            "UPDATE event SET subject_id = $1, data = $2::jsonb WHERE position IS NULL",
            about["subject_id"],
            about["data"],
        )
        await relay_batch(connection, waiting)
        return await database.rows("SELECT * FROM job WHERE task = 'score_leads' ORDER BY id")

    [job] = await burst(10)
    assert timedelta(0) < job["due_at"] - job["created_at"] < timedelta(seconds=1)
    for _ in range(40):
        assert len(await burst(1)) == 1, "it waits, and will see what has happened since"
    assert len(await burst(1, subject_id=UUID(int=8))) == 2, "another lead is another job"
    bulk = [row for row in await burst(1, data='{"bulk": true}') if row["queue"] == "bulk"]
    assert [row["due_at"] - row["created_at"] for row in bulk] == [timedelta(0)]
    await database.rows("UPDATE job SET attempts = 1 WHERE id = $1", job["id"])
    assert len(await burst(2)) == 4, "what has begun may have looked before this happened"
    assert not await database.pending()


async def test_what_a_batch_that_came_to_nothing_asked_for_is_asked_for_again(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    waiting = Waiting()
    await record(database, ids(workspaces)[:1], events=1, name="lead.updated")
    with pytest.raises(ZeroDivisionError):
        async with connection.transaction():
            await relay_batch(connection, waiting)
            raise ZeroDivisionError
    await relay_batch(connection, waiting)
    assert await database.value("SELECT count(*) FROM job WHERE task = 'score_leads'") == 1


async def test_facts_that_count_what_is_done_name_no_task(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    [first, *_] = ids(workspaces)
    await record(database, [first], events=1, name="crowd.rang")
    await database.rows("UPDATE event SET data = '{\"tasks_done\": 596}'")
    await start("relay").ready()
    await until(lambda: _all_placed(database))
    assert await database.value("SELECT count(*) FROM job WHERE task = 'note_all'") == 1


# Larger than any number that the relay's JSON can be read into.
TOO_LARGE = json.dumps({"tasks_done": ["NUMBER"]}).replace('"NUMBER"', "1" + "0" * 400)


async def test_an_event_whose_jobs_cannot_be_told_is_set_aside_and_stops_no_other(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    await record(database, ids(workspaces), events=60)
    poison = await database.value("UPDATE event SET data = $1::jsonb WHERE seq = 7 RETURNING id", TOO_LARGE)
    house = await start("relay").ready()
    await until(lambda: _all_placed(database))
    await record(database, ids(workspaces), events=10)
    await until(lambda: _all_placed(database))

    await assert_whole(database, events=70)
    await house.says("an event is set aside")
    [failed] = await database.rows("SELECT *, arguments ->> 'event_ids' AS events FROM job WHERE failed_at IS NOT NULL")
    assert json.loads(failed["events"]) == [str(poison)]
    assert "JSONDecodeError" in failed["last_error"]
    assert failed["done_at"] is None


async def test_an_event_whose_jobs_the_database_refuses_is_set_aside(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    await record(database, [workspaces[0].id], events=9, name="lead.updated")
    poison = await database.value("SELECT id FROM event WHERE seq = 4")
    refused = f"failed_at IS NOT NULL OR NOT arguments -> 'event_ids' ? '{poison}'"
    await database.rows(f"ALTER TABLE job ADD CONSTRAINT refused CHECK ({refused})")
    try:
        batch = await relay_batch(connection)
        assert [row["position"] for row in batch.rows] == list(range(1, 10))
        [failed] = await database.rows("SELECT id, task, last_error FROM job WHERE failed_at IS NOT NULL")
        assert failed["task"] == "score_leads"
        assert "CheckViolationError" in failed["last_error"]
        assert failed["id"] not in {job.id for job in batch.jobs}
        written = "SELECT jsonb_array_elements_text(arguments -> 'event_ids') FROM job WHERE failed_at IS NULL"
        others = {str(row["id"]) for row in batch.rows if row["id"] != poison}
        assert sorted(row[0] for row in await database.rows(written)) == sorted(others)
    finally:
        await database.rows("ALTER TABLE job DROP CONSTRAINT refused")


async def test_a_database_that_is_out_of_order_sets_nothing_aside(
    database: Database, workspaces: list[Workspace], connection: Any
) -> None:
    await record(database, [workspaces[0].id], events=3, name="lead.updated")
    await database.rows("ALTER TABLE job RENAME TO away")
    try:
        with pytest.raises(asyncpg.UndefinedTableError):
            await relay_batch(connection)
        assert await database.pending() == 3
    finally:
        await database.rows("ALTER TABLE away RENAME TO job")


async def test_the_log_goes_on_without_redis(
    database: Database, workspaces: list[Workspace], start: Start, tmp_path: Any
) -> None:
    house = await start("relay", REDIS_URL=f"unix://{tmp_path}/nobody.sock").ready()
    await record(database, ids(workspaces), events=10)
    await until(lambda: _all_placed(database))
    await house.says("Redis does not answer")
    await record(database, ids(workspaces), events=10)
    await until(lambda: _all_placed(database))
    await assert_whole(database, events=20)


async def test_a_redis_that_hangs_is_left_alone_for_a_while(
    database: Database, workspaces: list[Workspace], connection: Any, tmp_path: Any
) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    hung = asyncio.Event()
    server = await asyncio.start_unix_server(say_nothing, path=tmp_path / "mute.sock")
    client = redis_adapter.connect(f"unix://{tmp_path}/mute.sock")
    announcer = Announcer(client)
    await record(database, ids(workspaces), events=4)
    batch: Batch = await relay_batch(connection)
    began = time.monotonic()
    for _ in range(5):
        await announcer.announce(batch)
    assert time.monotonic() - began < 2 * relay.PUBLISH_SECONDS
    hung.set()
    await client.aclose()
    server.close()


async def test_a_relay_that_loses_postgresql_comes_back(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    house = await start("relay").ready()
    await database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'salescycle relay' AND datname = current_database()"
    )
    await house.says("The relay lost a connection")
    await record(database, ids(workspaces), events=10)
    await until(lambda: _all_placed(database))
    await assert_whole(database, events=10)


async def test_a_relay_ends_cleanly_and_gives_up_its_lock(
    database: Database, workspaces: list[Workspace], start: Start
) -> None:
    house = await start("relay").ready()
    assert await house.interrupt() < 2
    assert not await database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


async def _all_placed(database: Database) -> bool:
    return await database.pending() == 0


async def _some_placed(database: Database) -> bool:
    return bool(await database.value("SELECT 1 FROM event_head LIMIT 1"))


async def _relay_waits_for_a_lock(database: Database) -> bool:
    return bool(
        await database.value(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'salescycle relay' "
            "AND datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


async def _subscribed(client: Any, channel: str) -> bool:
    return bool(dict(await client.pubsub_numsub(channel))[channel.encode()])


async def _next_message(subscription: Any) -> Any:
    async def take() -> Any:
        return await subscription.get_message(timeout=0.1)

    return await until(take)
