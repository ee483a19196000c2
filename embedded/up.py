"""`salescycle up`: everything that Salescycle needs on one machine, started in order and ended in order."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from embedded import folder, servers, supervisor
from embedded.errors import StartFailed
from embedded.servers import Servers
from embedded.supervisor import Kept
from settings import Settings

SHORTEST_SECRET = 32
API_SECONDS = 60.0
API_TRIES = 3
RETRY_SECONDS = 0.02
CHECK_SECONDS = 0.2
BACKLOG = 2048
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
SIGN_UP = """mutation {
  signUp(input: {
    workspaceName: "My company", baseCurrency: "EUR", name: "Me", email: "me@example.com", password: "a long one"
  }) {
    accessToken
    userErrors { message }
  }
}"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What `up` was asked for; port 0 takes a free one, `workers` is the number of API processes."""

    host: str
    port: int
    workers: int
    data_dir: Path


async def up(options: Options, settings: Settings, *, say: Say) -> None:
    """Run Salescycle until SIGTERM or SIGINT; raises StartFailed with one sentence where it cannot start."""
    if settings.secret_key and len(settings.secret_key) < SHORTEST_SECRET:
        raise StartFailed(f"SECRET_KEY must have at least {SHORTEST_SECRET} characters.")
    data_dir = folder.prepare(options.data_dir)
    task = asyncio.current_task()
    assert task
    cancelled = _cancel_once(task)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            async with _running(options, settings, data_dir=data_dir, say=say):
                await asyncio.Event().wait()
    except OSError as error:
        raise StartFailed(f"The operating system refuses what Salescycle needs: {error}.") from error
    if cancelled():
        say("Salescycle has ended.")


async def serve_many(host: str, port: int, *, workers: int, say: Say) -> None:
    """Run several API processes on one port, on the servers of the environment, until SIGTERM or SIGINT."""
    task = asyncio.current_task()
    assert task
    _cancel_once(task)
    with contextlib.suppress(asyncio.CancelledError), listen(host, port) as listener:
        gate = Gate()
        gate.open(workers)
        apis = _apis(workers, listener, env=dict(os.environ), owner=Path.cwd(), gate=gate, say=say)
        try:
            for kept in apis:
                await kept.begin()
            await _answers(apis, listener)
            say(f"The API answers at {address_of(listener)}/graphql, in {workers} processes.")
            await asyncio.Event().wait()
        finally:
            await supervisor.stop_together(apis)
            gate.close()


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port for as long as we live, so that clients wait while an API process is started again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except PermissionError as error:
            raise StartFailed(
                f"Port {port} needs more rights than this user has; choose another with --port."
            ) from error
        except OSError as error:
            raise StartFailed(
                f"Port {port} on {host} cannot be used ({error.strerror}); choose another with --port."
            ) from error
        listener.listen(BACKLOG)
        listener.set_inheritable(True)
        yield listener


@contextlib.asynccontextmanager
async def _running(options: Options, settings: Settings, *, data_dir: Path, say: Say) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(folder.locked(data_dir))
        await supervisor.end_orphans(data_dir, say=say)
        listener = stack.enter_context(listen(options.host, options.port))
        ours = servers.plan(settings, data_dir=data_dir)
        env = environment(settings, ours, data_dir=data_dir, public_url=address_of(listener))
        gate = stack.enter_context(contextlib.closing(Gate()))
        # The API takes most of a start to load its code, so it begins before the servers that it will need.
        apis = _apis(options.workers, listener, env=env, owner=data_dir, gate=gate, say=say)
        stack.push_async_callback(supervisor.stop_together, apis)
        for child in apis:
            await child.begin()
        await stack.enter_async_context(servers.kept(ours, data_dir=data_dir, say=say))
        await _migrate(ours.database_url, say=say)
        others = [_other(name, env=env, owner=data_dir, say=say) for name in ("worker", "relay")]
        for child in reversed(others):
            stack.push_async_callback(child.stop)
        stack.push_async_callback(supervisor.stop_together, apis)
        gate.open(len(apis))
        await _answers(apis, listener)
        for child in others:
            await child.begin()
        await _greet(settings, ours, address=address_of(listener), say=say)
        yield


def _apis(
    count: int, listener: socket.socket, *, env: dict[str, str], owner: Path, gate: "Gate", say: Say
) -> list[Kept]:
    descriptor = listener.fileno()

    async def start() -> subprocess.Popen[bytes]:
        argv = supervisor.command("serve", "--fd", str(descriptor), *gate.options, owner=owner)
        return supervisor.spawn(argv, env=env, pass_fds=[descriptor, *gate.descriptors])

    return [Kept("API", start, supervisor.STOP, say) for _ in range(count)]


def _other(name: str, *, env: dict[str, str], owner: Path, say: Say) -> Kept:
    async def start() -> subprocess.Popen[bytes]:
        return supervisor.spawn(supervisor.command(name, owner=owner), env=env)

    return Kept(name, start, supervisor.STOP, say)


class Gate:
    """A pipe at which API processes that have loaded their code wait until the database is there."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._opened = False

    @property
    def descriptors(self) -> list[int]:
        return [] if self._opened else [self._reading]

    @property
    def options(self) -> list[str]:
        return [] if self._opened else ["--gate", str(self._reading)]

    def open(self, count: int) -> None:
        """Let that many processes through; those started later find no gate."""
        os.write(self._writing, b"." * count)
        self._opened = True

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


def environment(settings: Settings, ours: Servers, *, data_dir: Path, public_url: str) -> dict[str, str]:
    """Return what our children read as their settings."""
    changed = {
        "DATABASE_URL": ours.database_url,
        "REDIS_URL": ours.redis_url,
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": settings.secret_key or folder.secret_key(data_dir),
        "PUBLIC_URL": settings.public_url if "public_url" in settings.model_fields_set else public_url,
    }
    if not settings.database_url:
        changed["DATABASE_DIRECT_URL"] = ""
    return {**os.environ, **changed}


async def _migrate(database_url: str, *, say: Say) -> None:
    """Apply what is missing; Tortoise is loaded only where something differs, for it takes half a second."""
    known = {path.stem for path in MIGRATIONS.glob("[0-9]*.py")}
    if await _applied(database_url) == known:
        return
    from models import database

    say("Bringing the database to this version.")
    try:
        await database.migrate(database_url)
    except database.DatabaseNewer as error:
        raise StartFailed(str(error)) from error


async def _applied(database_url: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    except asyncpg.UndefinedTableError:
        return set()
    finally:
        await connection.close()
    return {row["name"] for row in rows}


async def _answers(apis: list[Kept], listener: socket.socket) -> None:
    """Wait until the API says that PostgreSQL and Redis answer it."""
    waiting = asyncio.create_task(_ready(listener))
    try:
        async with asyncio.timeout(API_SECONDS):
            while not waiting.done():
                if any(kept.failures >= API_TRIES for kept in apis):
                    raise StartFailed("The API does not start; its own messages above say why.")
                await asyncio.wait((waiting,), timeout=CHECK_SECONDS)
    except TimeoutError as error:
        raise StartFailed(f"The API is not ready within {API_SECONDS:.0f} seconds.") from error
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _ready(listener: socket.socket) -> None:
    """Ask until the answer is yes; a question waits in the listener's queue while no process takes it."""
    host, port = _reachable(listener)
    question = f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(question)
            answer = await reader.readline()
            writer.close()
        except OSError:
            answer = b""
        if b" 200 " in answer:
            return
        await asyncio.sleep(RETRY_SECONDS)


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def address_of(listener: socket.socket) -> str:
    """Return the address that a browser on this machine opens."""
    host, port = _reachable(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _greet(settings: Settings, ours: Servers, *, address: str, say: Say) -> None:
    playground = f"{address}/graphiql" if settings.allows_introspection else ""
    say(f"Salescycle runs: GraphQL at {address}/graphql{f', GraphiQL at {playground}' if playground else ''}.")
    if await _nobody_signed_up(ours.database_url):
        place = f"Open {playground}" if playground else f"Send to {address}/graphql"
        say(f"Nobody has signed up yet. {place} and make a workspace with its first user:\n\n{SIGN_UP}\n")


async def _nobody_signed_up(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM workspace)")
    finally:
        await connection.close()


def _cancel_once(task: asyncio.Task[None]) -> Callable[[], bool]:
    """Cancel the task at the first signal to end; more of them do not cut its orderly end short."""
    asked = False

    def cancel() -> None:
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, cancel)
    return lambda: asked
