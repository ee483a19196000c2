"""Which passwords are accepted, and how they are compared."""

import asyncio

import pytest

from domain import passwords
from domain.errors import Faults

GOOD = "seven red bicycles"


def fault_of(password: str | None, *about: str) -> str | None:
    faults = Faults()
    passwords.check(faults, password, field="password", about=about)
    return next((fault.code for fault in faults), None)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (GOOD, None),
        ("пароль из слов", None),
        ("x7!kQ2#p9z", None),
        ("a" * 999 + "bcd", "TOO_LONG"),
        ("abcdefghi", "PASSWORD_TOO_SHORT"),
        ("", "REQUIRED"),
        (None, "REQUIRED"),
        ("aaaaaaaaaaaa", "PASSWORD_TOO_COMMON"),
        ("abababababab", "PASSWORD_TOO_COMMON"),
        ("password123", "PASSWORD_TOO_COMMON"),
        ("PassWord123", "PASSWORD_TOO_COMMON"),
        ("1234567890", "PASSWORD_TOO_COMMON"),
    ],
)
def test_what_is_accepted(password: str | None, code: str | None) -> None:
    assert fault_of(password) == code


@pytest.mark.parametrize("password", ["ada.lovelace@example.com", "ada.lovelace", "Ada.Lovelace2024!", "AdaLovelace"])
def test_a_password_is_not_ones_name_or_address(password: str) -> None:
    assert fault_of(password, "ada.lovelace@example.com", "Ada Lovelace") == "PASSWORD_TOO_COMMON"


def test_ten_and_a_thousand_characters_are_accepted() -> None:
    assert fault_of("tenletters") is None
    assert fault_of("long words " * 90 + "0123456789") is None


async def test_a_hash_is_argon2id_and_matches_only_its_password() -> None:
    hashed = await passwords.hashed(GOOD)

    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, GOOD)
    assert not await passwords.matches(hashed, GOOD + " ")
    assert not await passwords.matches(hashed, "")


async def test_the_same_letters_typed_otherwise_match() -> None:
    hashed = await passwords.hashed("cafe\u0301 au lait")

    assert await passwords.matches(hashed, "caf\u00e9 au lait")


@pytest.mark.parametrize("password", ["\ud800 half a pair", "nul \x00 inside", "x" * 1001])
async def test_odd_passwords_are_only_wrong(password: str) -> None:
    assert not await passwords.matches(await passwords.hashed(GOOD), password)
    assert not await passwords.matches("no hash at all", password)


async def test_without_an_account_no_password_matches_and_the_same_work_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []
    verify = passwords._hasher.verify

    class Counting:
        def verify(self, hash_: str, password: bytes) -> bool:
            verified.append(hash_)
            return verify(hash_, password)

        def hash(self, password: bytes) -> str:
            return _hash(password)

    _hash = passwords._hasher.hash
    known = await passwords.hashed(GOOD)
    monkeypatch.setattr(passwords, "_hasher", Counting())

    assert not await passwords.matches(None, GOOD)
    assert not await passwords.matches(None, "the password of an account that does not exist")
    assert not await passwords.matches(known, "another password")

    settings = {hash_.rpartition("$")[0].rpartition("$")[0] for hash_ in verified}
    assert len(verified) == 3
    assert len(settings) == 1, "an unknown account's hash costs what a known one's does"


async def test_the_event_loop_goes_on_while_a_hash_is_computed() -> None:
    turns = 0
    hashing = asyncio.ensure_future(passwords.hashed(GOOD))
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns > 1


async def test_a_hash_with_other_settings_is_outdated() -> None:
    assert not passwords.is_outdated(await passwords.hashed(GOOD))
    assert passwords.is_outdated("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$0WrIlzz2Wc4cZAf5bGZgZ5bWHTU")
