"""Folders for servers that a test starts, kills and starts again."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import processes
from embedded.accounts import account_for
from embedded.homes import Home, home_for
from embedded.programs import Programs, programs_for


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' user reaches too; whatever still runs in it afterwards is killed."""
    path = Path(tempfile.mkdtemp(prefix="sc-"))
    path.chmod(0o711)
    yield path
    for process in processes.find(lambda argv: any(str(path) in part for part in argv)):
        process.kill()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def home(folder: Path) -> Home:
    return home_for(folder)


@pytest.fixture(scope="session")
def programs() -> Programs:
    return programs_for(account_for(Path("/")))


@pytest.fixture
def said() -> list[str]:
    """What the code under test said to the person at the terminal."""
    return []
