"""What is compared: how each is started, and how it is asked."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.demo import EMAIL, PASSWORD
from bench.house import ROOT, command, environment
from bench.peers import cores, documents, npm
from bench.peers.ground import CACHE, Ground
from bench.peers.load import request
from schema import ids

START_SECONDS = 60
NAMES = ("salescycle", "graphql_core", "strawberry", "postgraphile", "mercurius", "limit")
SIGN_IN = """
mutation ($email: Email!, $password: String!) {
  signIn(input: {email: $email, password: $password}) { accessToken userErrors { message } }
}
"""
# The switch by which Salescycle answers everything through graphql-core.
WITHOUT_ENGINE = {"ENGINE": "off"}
# Everything is on, but nobody runs out of points.
OURS = {
    "ENVIRONMENT": "production",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "BUDGET": "2000000000",
    "BUDGET_PER_SECOND": "2000000000",
}


@dataclass(frozen=True)
class Contender:
    """One of those compared. `kinds` are the documents that it answers."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=lambda: documents.PEERS)
    global_ids: bool = False
    signs_in: bool = False
    path: str = "/graphql"

    def answers(self, kind: str) -> bool:
        return kind in self.documents


def salescycle(name: str = "salescycle", **more: str) -> Contender:
    """Return Salescycle as it is run: signed in, limited, priced, logged."""
    argv = tuple(command("serve", "--port", "{port}"))
    return Contender(name, argv, OURS | more, documents.OURS, global_ids=True, signs_in=True)


def limit(ground: Ground) -> Contender:
    """Return the bare handler."""
    workspace = {"LIMIT_WORKSPACE": str(ground.workspace_id)}
    known = dict.fromkeys(("page", "one", "board"), "")
    return Contender("limit", uvicorn("bench.peers.limit:app"), workspace, known, path="/{kind}")


def uvicorn(app: str) -> tuple[str, ...]:
    """Return the command that serves an ASGI application as Salescycle serves its own."""
    how = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    return (sys.executable, "-m", "uvicorn", app, *how, "--port", "{port}")


def strawberry(ground: Ground) -> Contender:
    """Return plain Strawberry with Tortoise and data loaders."""
    return Contender("strawberry", uvicorn("bench.peers.plain:app"), {"PEER_WORKSPACE": str(ground.workspace_id)})


def on_node(name: str, ground: Ground, spoken: dict[str, str]) -> Contender:
    """Return one of those that run on Node.js."""
    argv = (str(npm.node()), str(npm.TARGET / f"{name}.mjs"), "{port}")
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    return Contender(name, argv, production | {"PEER_WORKSPACE": str(ground.workspace_id)}, spoken)


def contenders(ground: Ground, names: Sequence[str]) -> list[Contender]:
    """Return those with these names; what they need is installed first."""
    if {"postgraphile", "mercurius"} & set(names):
        npm.installed()
    known: dict[str, Callable[[], Contender]] = {
        "salescycle": salescycle,
        "graphql_core": lambda: salescycle("graphql_core", **WITHOUT_ENGINE),
        "strawberry": lambda: strawberry(ground),
        "postgraphile": lambda: on_node("postgraphile", ground, documents.graphile(ground.workspace_id)),
        "mercurius": lambda: on_node("mercurius", ground, documents.PEERS),
        "limit": lambda: limit(ground),
    }
    return [known[name]() for name in names]


@dataclass(frozen=True)
class Running:
    """A contender that answers."""

    contender: Contender
    address: str
    process: "subprocess.Popen[bytes]"
    log: Path
    token: str = ""

    def pids(self) -> list[int]:
        return cores.tree(self.process.pid)

    def id_of(self, noun: str, key: UUID) -> str:
        """Return how this contender calls a row."""
        return ids.encode(noun, key) if self.contender.global_ids else str(key)

    def request(self, kind: str, variables: dict[str, Any]) -> bytes:
        """Return a request as it goes over the wire."""
        body = {"query": self.contender.documents[kind], "variables": variables}
        return request(self.address, self.contender.path.format(kind=kind), body, token=self.token)

    def ask(self, kind: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the data of one answer; raises SystemExit with what came instead."""
        body = {"query": self.contender.documents[kind], "variables": variables}
        path = self.contender.path.format(kind=kind)
        return asked(f"{self.address}{path}", body, token=self.token, name=self.contender.name)


def asked(url: str, body: dict[str, Any], *, token: str = "", name: str = "") -> dict[str, Any]:
    """Send an operation and return its data; raises SystemExit with the answer where there is none."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    try:
        sent = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(sent, timeout=30) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{name or url} refuses: {error.read().decode()[:2000]}") from error
    if "errors" in found:
        raise SystemExit(f"{name or url} answers with errors: {json.dumps(found['errors'])[:2000]}")
    data: dict[str, Any] = found["data"]
    return data


def signed_in(address: str, email: str = EMAIL) -> str:
    """Return the access token of one of the demo's people."""
    body = {"query": SIGN_IN, "variables": {"email": email, "password": PASSWORD}}
    token: str | None = asked(f"{address}/graphql", body)["signIn"]["accessToken"]
    if not token:
        raise SystemExit(f"{email} cannot sign in.")
    return token


@contextmanager
def running(wanted: Sequence[Contender], ground: Ground) -> Iterator[list[Running]]:
    """Start contenders, all on the same core, and end them afterwards."""
    with ExitStack() as stack:
        yield [stack.enter_context(started(contender, ground)) for contender in wanted]


@contextmanager
def started(contender: Contender, ground: Ground, database_url: str = "") -> Iterator[Running]:
    """Start a contender on the core of contenders, its log in the cache."""
    port = _free_port()
    given = {
        "DATABASE_URL": database_url or ground.database_url,
        "REDIS_URL": ground.redis_url,
        "DATA_DIR": str(ground.data_dir),
        "SECRET_KEY": ground.secret_key,
    }
    CACHE.mkdir(exist_ok=True)
    log = CACHE / f"{contender.name}.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [part.format(port=port) for part in contender.command],
            cwd=ROOT,
            env=environment() | given | contender.environment,
            stdout=written,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores.SERVER}),
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, address, log)
        token = signed_in(address) if contender.signs_in else ""
        yield Running(contender, address, process, log, token)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Wait until somebody answers, whatever they say."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{address}/graphql", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
