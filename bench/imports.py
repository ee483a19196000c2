"""Rows a second of an import of leads into PostgreSQL, and the same rows by plain COPY beside it.

    python -m bench.imports [--rows 200000] [--alone]

A database of its own is made on DATABASE_URL's server, or on an embedded one started for the run, and dropped in the
end. Relay and worker run beside the import as processes of their own, as in production, unless --alone.
"""

import argparse
import asyncio
import csv
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from domain import catalog, imports, pipelines
from domain.actors import system
from models import database
from models.base import uuid7
from models.imports import ImportKind
from models.workspaces import Workspace

ROOT = Path(__file__).resolve().parent.parent
MAPPING = """
system: bench
external_id: id
file: {dates: month-first}
fields:
  title: {join: [company, product]}
  company: account
  product: {column: product, missing: create}
  owner: agent
  stage:
    column: stage
    values:
      Prospecting: {stage: New}
      Engaging: {stage: Qualified}
      Won: {stage: Won, from: Qualified}
      Lost: {stage: Qualified, status: LOST}
  value: value
  currency: {constant: EUR}
  engaged_at: engaged
  closed_at: closed
  source: {constant: Import}
"""


def write_file(path: Path, rows: int) -> None:
    """Write a file with the proportions of a real one: 48 % won, 28 % lost, 18 % engaged, 6 % new."""
    chance = random.Random(7)
    start = date(2023, 1, 2)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["id", "agent", "product", "account", "stage", "engaged", "closed", "value"])
        for number in range(rows):
            stage = chance.choices(["Won", "Lost", "Engaging", "Prospecting"], [48, 28, 18, 6])[0]
            engaged = start + timedelta(days=chance.randrange(700))
            closed = engaged + timedelta(days=chance.randrange(1, 140))
            out.writerow(
                [
                    f"B{number:08}",
                    f"Agent {number % 35}",
                    f"Product {number % 7}",
                    f"Company {number % 1000}" if number % 6 else "",
                    stage,
                    f"{engaged:%m/%d/%Y}" if stage != "Prospecting" else "",
                    f"{closed:%m/%d/%Y}" if stage in ("Won", "Lost") else "",
                    chance.randrange(50, 30000) if stage == "Won" else ("0" if stage == "Lost" else ""),
                ]
            )


async def plain_copy(url: str, path: Path) -> float:
    """Return the seconds that the same rows take into a bare table of eight columns, and by nothing but COPY."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE plain (key uuid PRIMARY KEY, id text, agent text, product text, account text, stage text, "
        "engaged date, closed date, value numeric(19,4))"
    )

    def day(text: str) -> date | None:
        return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).date() if text else None

    began = time.perf_counter()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        records = ((uuid7(), *row[:5], day(row[5]), day(row[6]), Decimal(row[7]) if row[7] else None) for row in reader)
        await connection.copy_records_to_table("plain", records=records)
    took = time.perf_counter() - began
    await connection.execute("DROP TABLE plain")
    await connection.close()
    return took


class Cores:
    """Which part used how much of the machine, so that a figure can be judged beside what else ran."""

    def __init__(self, postmaster: psutil.Process | None, others: dict[str, psutil.Process]) -> None:
        self._postmaster, self._others = postmaster, others
        self._began, self._before, self._busy = time.perf_counter(), self._used(), _busy()

    @classmethod
    async def watch(cls, url: str, processes: list[subprocess.Popen[bytes]]) -> "Cores":
        """Begin to watch; a PostgreSQL on another machine is not in it."""
        others = {process.args[-1]: psutil.Process(process.pid) for process in processes}
        postmaster = None
        connection = await asyncpg.connect(url)
        with suppress(psutil.Error):
            backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            postmaster = backend.parent() if "postgres" in backend.name() else None
        await connection.close()
        return cls(postmaster, others)

    def told(self) -> str:
        """Return the cores that each part has used since, and what the rest of the machine has."""
        seconds, used = time.perf_counter() - self._began, self._used()
        cores = {name: (used[name] - before) / seconds for name, before in self._before.items()}
        rest = (_busy() - self._busy) / seconds - sum(cores.values())
        parts = [f"{name} {share:.2f}" for name, share in cores.items()]
        return f"cores used of {psutil.cpu_count()}: {', '.join(parts)}; anything else {max(rest, 0):.2f}"

    def _used(self) -> dict[str, float]:
        used = {"import": time.process_time()}
        if self._postmaster is not None:
            times = [one.cpu_times() for one in self._postmaster.children()]
            ended = self._postmaster.cpu_times()
            used["postgres"] = ended.children_user + ended.children_system + sum(one.user + one.system for one in times)
        return used | {name: sum(one.cpu_times()[:2]) for name, one in self._others.items()}


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


async def take(path: Path, actor_workspace: Workspace) -> float:
    """Return the seconds of an import."""
    actor = system(actor_workspace.id, task="bench")
    row = await imports.begin(
        actor,
        ImportKind.LEADS,
        file_name=path.name,
        fingerprint=imports.fingerprint(path),
        given=imports.load(MAPPING),
        now=datetime.now(UTC),
    )
    began = time.perf_counter()
    done = await imports.run(actor, row.id, path, clock=lambda: datetime.now(UTC))
    took = time.perf_counter() - began
    assert done.skipped_rows == 0, done
    return took


async def settled(url: str, processes: list[subprocess.Popen[bytes]]) -> float:
    """Return the seconds until every event has its position and every job is done."""
    began = time.perf_counter()
    connection = await asyncpg.connect(url)
    while await connection.fetchval(
        "SELECT EXISTS (SELECT FROM event WHERE position IS NULL) "
        "OR EXISTS (SELECT FROM job WHERE done_at IS NULL AND failed_at IS NULL AND due_at <= now())"
    ):
        assert all(process.poll() is None for process in processes), "relay or worker ended"
        await asyncio.sleep(0.25)
    await connection.close()
    return time.perf_counter() - began


def start(name: str, url: str, redis_url: str) -> subprocess.Popen[bytes]:
    names = {"DATABASE_URL": url, "REDIS_URL": redis_url, "SECRET_KEY": secrets.token_hex(32), "LOG_LEVEL": "WARNING"}
    return subprocess.Popen([sys.executable, ROOT / "cli.py", name], cwd=ROOT, env={**os.environ, **names})


async def measure(server_url: str, redis_url: str, args: argparse.Namespace) -> None:
    name = f"salescycle_bench_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    server = await asyncpg.connect(server_url)
    await server.execute(f'CREATE DATABASE "{name}"')
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "leads.csv"
            write_file(path, args.rows)
            await database.migrate(url)
            copied = await plain_copy(url, path)
            print(f"plain COPY of the same rows, one table, one index: {args.rows / copied:,.0f} rows/s")
            await database.open_database(url)
            now = datetime.now(UTC)
            home = await Workspace.create(name="Bench", base_currency="EUR", created_at=now, updated_at=now)
            await pipelines.create_default(system(home.id, task="bench"), now=now)
            await catalog.create_defaults(system(home.id, task="bench"), now=now)
            if not args.alone:
                processes += [start(process, url, redis_url) for process in ("relay", "worker")]
                await asyncio.sleep(3)
            beside = "alone" if args.alone else "relay and worker running"
            cores = await Cores.watch(url, processes)
            took = await take(path, home)
            print(
                f"import, {beside}: {args.rows / took:,.0f} rows/s ({took:.1f} s, {copied / took:.1%} of COPY's rate)"
            )
            print(cores.told())
            if processes:
                print(f"until relay and worker have caught up: {await settled(url, processes):.1f} s more")
            took = await take(path, home)
            print(f"the same file again, nothing changed: {args.rows / took:,.0f} rows/s ({took:.1f} s)")
            print(f"most memory of the importing process: {peak():,.0f} MB")
            await database.close_database()
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()


def peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--alone", action="store_true", help="without relay and worker")
    args = parser.parse_args()
    print(f"cores: {psutil.cpu_count()}, load before: {os.getloadavg()[0]:.1f}")
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        await measure(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], args)
        return
    from embedded.servers import borrowed
    from settings import settings

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        async with borrowed(settings(), data_dir=Path(folder) / "data", say=lambda message: None) as servers:
            await measure(servers.database_url, servers.redis_url, args)


if __name__ == "__main__":
    asyncio.run(main())
