"""What cannot work is said in one sentence, with exit code 1 and without a traceback."""

import os
import socket
import stat
from pathlib import Path

import asyncpg
import pytest

from embedded.folder import locked
from tests.cli.running import refused
from tests.conftest import with_database

SECRET = "s" * 32
NOWHERE = "postgresql://someone:hunter2@127.0.0.1:1/none"


def test_a_port_in_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused("up", "--port", str(port), "--data-dir", str(folder))
    assert f"Port {port}" in sentence
    assert "--port" in sentence


def test_a_folder_in_use(folder: Path) -> None:
    with locked(folder):
        sentence = refused("up", "--port", "0", "--data-dir", str(folder))
    assert f"in use by another Salescycle (process {os.getpid()})" in sentence


@pytest.mark.parametrize("place", ["file/data", "/proc/data"])
def test_an_unwritable_folder(folder: Path, place: str) -> None:
    (folder / "file").touch()
    sentence = refused("up", "--port", "0", "--data-dir", str(folder / place))
    assert "cannot be written" in sentence
    assert "--data-dir" in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(folder: Path) -> None:
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot be written" in refused("up", "--port", "0", "--data-dir", str(folder))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (NOWHERE, "PostgreSQL at 127.0.0.1:1 cannot be used"),
        ("mysql://someone@127.0.0.1/none", "must begin with postgresql://"),
        ("postgresql://someone@127.0.0.1:none/none", "cannot be used"),
    ],
)
def test_a_wrong_database_url(folder: Path, url: str, words: str) -> None:
    sentence = refused("up", "--port", "0", "--data-dir", str(folder), env={"DATABASE_URL": url})
    assert "DATABASE_URL" in sentence
    assert words in sentence
    assert "hunter2" not in sentence


def test_a_database_that_does_not_exist(folder: Path, servers: dict[str, str]) -> None:
    url = with_database(servers["postgres"], "no_such_database")
    sentence = refused("up", "--port", "0", "--data-dir", str(folder), env={"DATABASE_URL": url})
    assert 'database "no_such_database" does not exist' in sentence


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hunter2@127.0.0.1:1/0", "Redis at 127.0.0.1:1 cannot be used"),
        ("http://127.0.0.1/", "must begin with redis://"),
    ],
)
def test_a_wrong_redis_url(folder: Path, database_url: str, url: str, words: str) -> None:
    env = {"DATABASE_URL": database_url, "REDIS_URL": url}
    sentence = refused("up", "--port", "0", "--data-dir", str(folder), env=env)
    assert "REDIS_URL" in sentence
    assert words in sentence
    assert "hunter2" not in sentence


async def test_a_database_newer_than_the_code(folder: Path, empty_database_url: str, redis_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('models', '9999_later', now())"
    )
    await connection.close()
    env = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}
    for command in (["up", "--port", "0", "--data-dir", str(folder)], ["migrate"], ["migrate", "--check"]):
        sentence = refused(*command, env=env)
        assert "newer" in sentence
        assert "9999_later" in sentence


def test_a_short_secret(folder: Path) -> None:
    sentence = refused("up", "--port", "0", "--data-dir", str(folder), env={"SECRET_KEY": "short"})
    assert "SECRET_KEY must have at least 32 characters" in sentence


@pytest.mark.parametrize("command", ["serve", "relay", "worker"])
def test_a_process_of_its_own_without_servers(command: str) -> None:
    assert "Set DATABASE_URL, or run `salescycle up`" in refused(command)


def test_a_migration_that_does_not_exist(database_url: str) -> None:
    sentence = refused("migrate", "--to", "0000_nothing", env={"DATABASE_URL": database_url})
    assert "There is no migration 0000_nothing" in sentence


def test_a_setting_that_is_none(folder: Path) -> None:
    sentence = refused("up", "--port", "0", "--data-dir", str(folder), env={"DATABASE_POOL_SIZE": "many"})
    assert "database_pool_size: Input should be a valid integer" in sentence


def test_an_import_into_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("title\nRoof\n")
    (tmp_path / "mapping.yaml").write_text("fields: {title: title}\n")
    files = (str(tmp_path / "leads.csv"), "--mapping", str(tmp_path / "mapping.yaml"))
    sentence = refused("import", "leads", *files, "--data-dir", str(tmp_path / "nothing"), env={})
    assert "holds no data yet" in sentence
    assert not (tmp_path / "nothing" / "postgres").exists()
