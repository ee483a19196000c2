"""An API or a relay as a process of its own, which a test kills and starts again."""

import asyncio
import multiprocessing
import os
import signal
import socket
from multiprocessing.context import ForkServerProcess

import uvicorn

import api.app
from adapters import log
from settings import settings
from workers import relay

# Forked from a process that has imported everything, which is a second sooner than starting Python.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.live.house"])


def serve(port: int, environment: dict[str, str]) -> None:
    """Answer the API as `salescycle serve` does."""
    _configure(environment)
    config = uvicorn.Config(
        api.app.create_app,
        factory=True,
        port=port,
        loop="uvloop",
        http="api.protocol:Protocol",
        ws="websockets-sansio",
        access_log=False,
        log_config=None,
    )
    uvicorn.Server(config).run()


def run_relay(environment: dict[str, str]) -> None:
    """Relay as `salescycle relay` does."""
    _configure(environment)
    asyncio.run(relay.run())


def _configure(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    settings.cache_clear()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.set_up("house")


class House:
    """Processes by name; each can be killed at any time and started again at once."""

    def __init__(self, environment: dict[str, str], *, apis: int) -> None:
        self._environment = environment | {"LOG_LEVEL": "CRITICAL"}
        self._running: dict[str, ForkServerProcess] = {}
        self.ports = {f"api {number}": free_port() for number in range(apis)}
        for name in self.names:
            self.start(name)

    @property
    def names(self) -> list[str]:
        return [*self.ports, "relay"]

    @property
    def addresses(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports.values()]

    def start(self, name: str) -> None:
        if name == "relay":
            process = FORKS.Process(target=run_relay, args=(self._environment,), daemon=True)
        else:
            process = FORKS.Process(target=serve, args=(self.ports[name], self._environment), daemon=True)
        process.start()
        self._running[name] = process

    async def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        process = self._running.pop(name)
        process.kill()
        await asyncio.to_thread(process.join)

    async def close(self) -> None:
        for name in tuple(self._running):
            await self.kill(name)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
