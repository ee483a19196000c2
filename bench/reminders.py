"""A hundred thousand reminders that fall due in the same minute: when all are out, and that nobody has one twice.

    python -m bench.reminders [--reminders 100000] [--workers 2] [--people 500]

Salescycle runs as `make run` starts it (API, relay, PostgreSQL and Valkey that sync to disk) on a folder of its own,
with as many workers as asked for, which mail to an SMTP server on loopback that counts. Each reminder is put on
record, shown in the app, told to live clients and mailed.
"""

import argparse
import asyncio
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import psutil
import uvloop

from bench.house import Client, House, command, environment, house, some_folder

Others: TypeAlias = "list[subprocess.Popen[bytes]]"
SIGN_UP = """
mutation { signUp(input: {workspaceName: "Bench", baseCurrency: "EUR", name: "Ada", email: "ada@bench.example",
  password: "eleven quiet boats"}) { accessToken userErrors { message } } }
"""
PEOPLE = """
WITH made AS (
    INSERT INTO user_account (id, email, email_normalised, name, is_service, version, created_at, updated_at)
    SELECT gen_random_uuid(), 'p' || n || '@bench.example', 'p' || n || '@bench.example', 'Person ' || n, false, 1,
           now(), now()
    FROM generate_series(1, $1) n RETURNING id
)
INSERT INTO membership (id, workspace_id, user_id, role, active, created_at)
SELECT gen_random_uuid(), w.id, made.id, 'REP', true, now() FROM made, workspace w
"""
LEADS = """
INSERT INTO lead (id, workspace_id, title, pipeline_id, stage_id, rank, status, lifecycle, currency, probability,
    score_factors, owner_id, stage_entered_at, touches, custom, version, created_at, updated_at)
SELECT gen_random_uuid(), m.workspace_id, 'Lead ' || m.user_id, s.pipeline_id, s.id, m.user_id::text, 'OPEN', 'RAW',
       'EUR', 0, '[]', m.user_id, now(), 0, '{}', 1, now(), now()
FROM membership m CROSS JOIN LATERAL (
    SELECT id, pipeline_id FROM stage WHERE workspace_id = m.workspace_id ORDER BY position LIMIT 1
) s
WHERE m.role = 'REP'
"""
DUE = """
INSERT INTO follow_up (id, workspace_id, lead_id, owner_id, kind, title, priority, status, due_at, time_zone,
    remind_at, occurrence, version, created_at, updated_at)
SELECT gen_random_uuid(), workspace_id, lead_id, owner_id, 'CALL', 'Call ' || n, 2, 'OPEN',
       $2::timestamptz + random() * interval '1 minute', 'UTC', $2::timestamptz + random() * interval '1 second', 1, 1,
       now(), now()
FROM (
    SELECT n, l.workspace_id, l.id AS lead_id, l.owner_id
    FROM (SELECT row_number() OVER () AS place, count(*) OVER () AS number, l.* FROM lead l) l
    JOIN generate_series(1, $1) n ON n % l.number = l.place - 1
) made
"""
LEFT = """
SELECT (SELECT count(*) FROM follow_up WHERE remind_at IS NOT NULL) AS due,
       (SELECT count(*) FROM delivery WHERE status = 'PENDING') AS pending
"""
LEDGER = "SELECT channel, status, count(*) AS number FROM delivery GROUP BY 1, 2 ORDER BY 1, 2"
TWICE = """
SELECT (SELECT count(*) FROM reminder) AS reminders, (SELECT count(DISTINCT follow_up_id) FROM reminder) AS follow_ups,
       (SELECT count(*) FROM notification) AS shown, (SELECT count(DISTINCT reminder_id) FROM notification) AS of_each,
       (SELECT count(*) FROM delivery WHERE at_risk) AS at_risk
"""


class Sink(asyncio.Protocol):
    """A mail server that takes everything and counts by Message-ID."""

    got: "Counter[bytes]" = Counter()

    def connection_made(self, transport: Any) -> None:
        self.transport, self.rest, self.in_mail = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while True:
            if self.in_mail:
                mail, end, rest = self.rest.partition(b"\r\n.\r\n")
                if not end:
                    return
                self.rest, self.in_mail = rest, False
                at = mail.index(b"Message-ID: ") + 12
                self.got[mail[at : mail.index(b"\r\n", at)]] += 1
                self.transport.write(b"250 OK\r\n")
                continue
            line, end, rest = self.rest.partition(b"\r\n")
            if not end:
                return
            self.rest = rest
            self._answer(line.upper())

    def _answer(self, line: bytes) -> None:
        if line.startswith(b"DATA"):
            self.in_mail = True
            self.transport.write(b"354 go on\r\n")
        elif line.startswith((b"EHLO", b"HELO")):
            self.transport.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif line.startswith(b"QUIT"):
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        else:
            self.transport.write(b"250 OK\r\n")


@contextmanager
def more_workers(home: House, number: int, env: dict[str, str]) -> Iterator[Others]:
    """Give workers beside the one that `up` has started, on its servers."""
    redis = next(path for path in home.folder.rglob("*.sock") if path.is_socket() and "valkey" in path.name)
    servers = {"DATABASE_URL": database_of(home), "REDIS_URL": f"unix://{redis}", "DATA_DIR": str(home.folder)}
    started = [subprocess.Popen(command("worker"), env=env | servers) for _ in range(number)]
    try:
        yield started
    finally:
        # They would say goodbye to the mail server, which runs in this process and does not listen meanwhile.
        for process in started:
            process.kill()
            process.wait()


def database_of(home: House) -> str:
    """Return the address of a house's own database, by its socket."""
    socket = next(home.folder.rglob(".s.PGSQL.*"))
    return f"postgresql://salescycle@/salescycle?host={socket.parent}"


async def measure(home: House, others: Others, reminders: int, people: int) -> None:
    """Lay reminders out, wait until they are out, and print the figures."""
    asking = Client(home.address)
    await asking.ask(SIGN_UP)
    asking.close()
    connection = await asyncpg.connect(database_of(home))
    await connection.execute(PEOPLE, people)
    await connection.execute(LEADS)
    await connection.execute(DUE, reminders, datetime.now(UTC) + timedelta(days=1))
    await connection.execute("VACUUM ANALYZE")
    before, began = home.cpu(), time.perf_counter()
    await connection.execute("UPDATE follow_up SET remind_at = now() WHERE remind_at IS NOT NULL")
    laid_out, claimed = time.perf_counter() - began, 0.0
    while True:
        await asyncio.sleep(0.25)
        left = await connection.fetchrow(LEFT)
        assert left
        if not left["due"] and not claimed:
            claimed = time.perf_counter() - began
        if not left["due"] and not left["pending"]:
            break
    took = time.perf_counter() - began
    for other in others:
        times = psutil.Process(other.pid).cpu_times()
        before["worker"] = before.get("worker", 0.0) - times.user - times.system
    used = {part: spent - before.get(part, 0.0) for part, spent in home.cpu().items()}
    told = await connection.fetchrow(TWICE)
    assert told
    print(
        f"{reminders} reminders of {people} people, due at once: all out after {took:.1f} s ({reminders / took:.0f}/s)"
    )
    print(f"  made due in {laid_out:.1f} s, all claimed and on record after {claimed:.1f} s")
    print(f"  mails: {sum(Sink.got.values())}, to nobody twice: {max(Sink.got.values()) == 1}")
    print("  " + ", ".join(f"{name}: {number}" for name, number in dict(told).items()))
    print(
        "  " + ", ".join(f"{row['channel']} {row['status']}: {row['number']}" for row in await connection.fetch(LEDGER))
    )
    print("  CPU: " + ", ".join(f"{part} {spent:.1f} s" for part, spent in sorted(used.items())))
    await connection.close()


async def run(folder: Path, reminders: int, workers: int, people: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    os.environ |= {"SMTP_URL": url, "SECRET_KEY": "for this bench only, and longer than thirty-two characters"}
    with house(folder) as home, more_workers(home, workers - 1, environment()) as others:
        await asyncio.wait_for(measure(home, others, reminders, people), timeout=3600)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reminders", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--data-dir", type=Path)
    chosen = parser.parse_args()
    with some_folder(chosen.data_dir) as folder:
        uvloop.run(run(folder, chosen.reminders, chosen.workers, chosen.people))


if __name__ == "__main__":
    main()
