"""`salescycle demo` as a person types it."""

import re
from datetime import UTC, datetime

import asyncpg
import pytest

from domain import sessions
from tests.cli.running import SECONDS, refused, salescycle
from tests.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")


def run(url: str, *arguments: str) -> str:
    process = salescycle("demo", *arguments, env={"DATABASE_URL": url})
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


async def test_it_tells_how_to_sign_in_and_what_it_made(db: str) -> None:
    output = run(db, "--leads", "30", "--workspace", "Bright Co", "--email", "first@demo.example")
    assert "Bright Co: " in output
    assert " 30 leads, " in " ".join(output.split())
    shown = re.search(r"Sign in as (\S+) and the password (\S+),", output)
    assert shown
    signed_in = await sessions.sign_in(email=shown[1], password=shown[2], now=datetime.now(UTC))
    assert signed_in.session.workspace_id


async def test_a_password_that_was_given_is_not_shown(db: str) -> None:
    output = run(db, "--leads", "5", "--email", "second@demo.example", "--password", PASSWORD)
    assert "Sign in as second@demo.example." in output
    assert PASSWORD not in output


def test_an_empty_database_is_brought_to_the_newest_version_first(empty_database_url: str) -> None:
    output = run(empty_database_url, "--leads", "5")
    assert "Sign in as demo@sunfield.example" in output
    sentence = refused("demo", "--leads", "5", env={"DATABASE_URL": empty_database_url})
    assert "Another user has this email already." in sentence


async def test_what_cannot_be_made_is_said_in_one_sentence(db: str) -> None:
    sentence = refused(
        "demo", "--workspace", "Never", "--email", "nobody", "--password", "short", env={"DATABASE_URL": db}
    )
    assert "email is not an email address." in sentence
    assert "password has 5 characters" in sentence
    connection = await asyncpg.connect(db)
    try:
        assert await connection.fetchval("SELECT count(*) FROM workspace WHERE name = 'Never'") == 0
    finally:
        await connection.close()
