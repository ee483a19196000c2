"""People are told by a relay and workers as they really run, once, whoever is killed meanwhile."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from domain import comments, leads
from domain.actors import Actor
from domain.jobs import Queue, schedule
from domain.subjects import SubjectKey
from models.conversations import Notification, NotificationKind
from models.leads import Lead
from models.users import Role
from tests.factories import lead, member, seller
from tests.workers.conftest import Database, Start, until
from workers import jobs
from workers.tasks.notifications import notify


def now() -> datetime:
    return datetime.now(UTC)


async def notified(actor: Actor, count: int) -> list[Notification]:
    rows = await Notification.filter(user_id=actor.user_id).order_by("id")
    return rows if len(rows) >= count else []


async def mention(admin: Actor, row: Lead, friend: Actor) -> UUID:
    assert friend.user_id
    made = await comments.add(admin, SubjectKey(Lead, row.id), text="Look", mention_ids=[friend.user_id], now=now())
    return made.id


async def test_a_mention_is_told_within_a_second(database: Database, start: Start) -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin)
    relay, worker = start("relay"), start("worker")
    await relay.ready()
    await worker.ready()

    began = time.monotonic()
    made = await mention(admin, row, friend)
    [told] = await until(lambda: notified(friend, 1))

    assert (told.kind, told.comment_id, told.lead_id) == (NotificationKind.MENTION, made, row.id)
    assert time.monotonic() - began < 1

    async def placed() -> bool:
        name = "notification.created"
        return bool(await database.value("SELECT position FROM event WHERE name = $1", name))

    await until(placed)


async def test_a_worker_that_is_killed_is_followed_by_one_that_tells_all_once(database: Database, start: Start) -> None:
    admin = await seller()
    owner = await member(Role.REP, of=admin)
    rows = [await lead(admin) for _ in range(30)]
    relay, first = start("relay"), start("worker")
    await relay.ready()
    await first.ready()
    for number, row in enumerate(rows):
        await leads.assign(admin, row.id, owner.user_id, now=now())
        if number == len(rows) // 2:
            first.kill()
    start("worker")
    start("worker")

    told = await until(lambda: notified(owner, len(rows)))

    assert {one.lead_id for one in told} == {row.id for row in rows}
    assert len(told) == len(rows)


async def test_two_workers_that_run_a_job_at_once_tell_once(database: Database) -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin)
    await mention(admin, row, friend)
    event = await database.value("SELECT id FROM event WHERE name = 'lead.commented'")
    arguments = {"subject_type": "lead", "subject_ids": [str(row.id)], "event_ids": [str(event)]}
    first, second = [
        jobs.Job(key, "notify", Queue.DEFAULT, admin.workspace_id, arguments, 1, now())
        for key in [await scheduled(admin, arguments), await scheduled(admin, arguments)]
    ]
    await database.rows("UPDATE job SET attempts = 1")

    for job in (first, second):
        await notify.run(job)

    assert first.finished and second.finished
    assert len(await notified(friend, 1)) == 1
    assert await database.value("SELECT count(*) FROM event WHERE name = 'notification.created'") == 1


async def scheduled(admin: Actor, arguments: Mapping[str, object]) -> UUID:
    return await schedule("notify", arguments=arguments, workspace_id=admin.workspace_id, due_at=now(), now=now())
