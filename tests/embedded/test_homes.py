"""Root's servers run as somebody else, and no private home is opened for him."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from embedded import processes, programs
from embedded.accounts import Account, account_for
from embedded.errors import StartFailed
from embedded.folder import locked, prepare
from embedded.homes import POINTER, home_for
from embedded.postgres import STOP, Postgres
from embedded.programs import programs_for

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
Say = Callable[[str], None]


@pytest.fixture
def private(folder: Path) -> Iterator[Path]:
    """A data folder inside a home that only root may enter; what it made elsewhere is removed."""
    folder.chmod(0o700)
    data = folder / "data"
    data.mkdir()
    yield data
    pointer = data / POINTER
    if pointer.exists():
        shutil.rmtree(pointer.read_text().strip())


@only_root
async def test_a_private_home_stays_closed(private: Path, said: list[str]) -> None:
    home = home_for(private)
    assert home.folder.is_relative_to(programs.SHARED_HOME)
    assert home_for(private) == home, "the second start forgets where the first one put its data"
    server = Postgres(home, programs_for(home.account), durable=False)
    child = await server.start(say=said.append)
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await processes.end_child(child, steps=STOP)
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700


@only_root
async def test_two_data_folders_cannot_share_one_cluster(private: Path) -> None:
    home = home_for(private)
    copy = private.with_name("copy")
    shutil.copytree(private, copy)
    with locked(home.folder), pytest.raises(StartFailed, match="in use by another"), locked(home_for(copy).folder):
        pytest.fail("the copy took the cluster of the first")


@only_root
async def test_programs_that_lie_in_a_private_home_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = folder / "shared"
    monkeypatch.setattr(programs, "SHARED_HOME", shared)
    monkeypatch.setattr(Account, "can", lambda self, flag, path: path.is_relative_to(shared))
    first = programs_for(account_for(Path("/")))
    assert all(path.is_relative_to(shared) for path in (first.postgres, first.initdb, first.valkey))
    assert programs_for(account_for(Path("/"))) == first
    assert len(list(shared.iterdir())) == 1, "it was copied twice"
    assert not [path for path in shared.rglob("*") if path.stat().st_uid != 0 or path.stat().st_mode & 0o022]


@only_root
async def test_it_refuses_clearly_where_no_copy_can_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setattr(programs, "SHARED_HOME", folder / "file" / "shared")
    monkeypatch.setattr(Account, "can", lambda self, flag, path: False)
    with pytest.raises(StartFailed, match="start Salescycle as an ordinary user"):
        programs_for(account_for(Path("/")))


def test_the_data_folder_is_closed_to_others(folder: Path) -> None:
    made = prepare(folder / "new" / "data")
    assert stat.S_IMODE(made.stat().st_mode) & 0o066 == 0
