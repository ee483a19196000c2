"""How long `up` takes on a filled folder until it answers its first query.

    python -m bench.startup [--data-dir FOLDER] [--leads 100000] [--times 5]

Without a folder one is filled by `salescycle demo` first. Each time everything is started anew: PostgreSQL, Valkey,
API, relay and worker; the clock runs from the command until a query over HTTP is answered.
"""

import argparse
import statistics
import time
from pathlib import Path

import uvloop

from bench.demo import filled
from bench.house import Client, address, some_folder, start, stop, told

QUERY = "{ __typename }"


async def first_answer(where: str) -> None:
    client = Client(where)
    await client.ask(QUERY)
    client.close()


def measure(folder: Path, times: int) -> None:
    """Start and stop `up`, and print the figures."""
    took, ended = [], []
    for _ in range(times):
        began = time.perf_counter()
        process = start(folder)
        try:
            uvloop.run(first_answer(address(process)))
            took.append(time.perf_counter() - began)
        finally:
            began = time.perf_counter()
            stop(process)
            ended.append(time.perf_counter() - began)
    told("startup_median", statistics.median(took), f"s ({times} starts)")
    told("startup_worst", max(took), "s")
    told("shutdown_median", statistics.median(ended), "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with some_folder(asked.data_dir) as folder:
        filled(folder, asked.leads)
        measure(folder, asked.times)


if __name__ == "__main__":
    main()
