"""Salescycle's worker with one task more, which says when it was started. Run by bench.peers.jobs."""

import os
import sys
import time
from typing import cast

import uvloop

from workers import worker
from workers.jobs import Job, Task, task
from workers.subscriptions import TASKS

NAME = "say_when"


@task()
async def say_when(job: Job) -> None:
    os.write(sys.stdout.fileno(), f"{job.id} {time.time_ns()}\n".encode())
    async with job.finishing():
        pass


if __name__ == "__main__":
    cast(dict[str, Task], TASKS)[NAME] = say_when
    uvloop.run(worker.run())
