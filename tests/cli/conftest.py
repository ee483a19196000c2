"""Folders for `salescycle up`, and what starts it on them."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded import processes
from tests.cli.running import SECONDS, Up, salescycle


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty data folder, with whatever was left running in it killed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="sc-"))
    path.chmod(0o711)
    yield path
    left = processes.find(lambda argv: any(part.startswith(str(path)) for part in argv))
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=SECONDS)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def prepared() -> Iterator[Path]:
    """A data folder with a migrated database, made once and only ever copied."""
    path = Path(tempfile.mkdtemp(prefix="sc-"))
    path.chmod(0o711)
    command = salescycle("migrate", "--data-dir", str(path))
    output, _ = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, output
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def filled(folder: Path, prepared: Path) -> Path:
    """The test's folder as an earlier run left it."""
    subprocess.run(["cp", "--archive", f"{prepared}/.", str(folder)], check=True)
    return folder


@pytest.fixture
def start(folder: Path) -> Callable[..., Up]:
    """Start `up` on the folder and a free port."""

    def begin(*arguments: str, env: dict[str, str] | None = None) -> Up:
        process = salescycle("up", "--port", "0", "--data-dir", str(folder), *arguments, env=env)
        return Up(folder, process)

    return begin
