"""The key of this server at push services: one for all its machines, through every change of the server's key."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from domain import push_keys, tokens
from domain.push_keys import PushKeyMalformed
from models.database import transaction
from models.reminders import PushKey
from settings import Settings
from tests.adapters.push_services import OPEN, PEM, PKCS8, b64
from tests.factories import NOW

OLD, NEW = "o" * 40, "n" * 40


Use = Callable[..., None]


@pytest.fixture(autouse=True)
async def no_key(db: None) -> None:
    await PushKey.all().delete()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    def change(**values: Any) -> None:
        known = Settings(**values)
        for module in (push_keys, tokens):
            monkeypatch.setattr(module, "settings", lambda: known)
        tokens.secrets.cache_clear()

    yield change
    tokens.secrets.cache_clear()


async def test_it_is_made_once_whoever_asks() -> None:
    found = await asyncio.gather(*(push_keys.private(now=NOW) for _ in range(5)))
    [row] = await PushKey.all()
    assert len(set(found)) == 1
    assert row.public == push_keys.public(found[0])
    assert "PRIVATE KEY" not in row.secret


async def test_it_outlives_a_change_of_the_servers_key(use: Use) -> None:
    use(secret_key=OLD)
    made = await push_keys.private(now=NOW)
    use(secret_key=NEW, previous_secret_keys=OLD)
    assert await push_keys.private(now=NOW) == made
    use(secret_key=NEW)
    assert await push_keys.private(now=NOW) == made


async def test_one_that_nobody_can_open_is_made_anew_once(use: Use) -> None:
    use(secret_key=OLD)
    made = await push_keys.private(now=NOW)
    use(secret_key=NEW)
    found = set(await asyncio.gather(*(push_keys.private(now=NOW) for _ in range(3))))
    assert len(found) == 1
    assert made not in found
    assert (await PushKey.get()).public == push_keys.public(found.pop())


async def test_a_setting_gives_it_as_pem_or_as_bytes(use: Use) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(PEM, PKCS8, OPEN)
    raw = b64(key.private_numbers().private_value.to_bytes(32, "big"))
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    for value in (pem.decode(), pem.decode().replace("\n", "\\n"), raw, raw + "="):
        use(vapid_private_key=value)
        assert push_keys.public(await push_keys.private(now=NOW)) == b64(point)
    assert not await PushKey.all().exists()


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "é",
        b64(b"\x00" * 32),
        b64(b"\xff" * 32),
        b64(b"1" * 31),
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(PEM, PKCS8, OPEN).decode(),
        ec.generate_private_key(ec.SECP384R1()).private_bytes(PEM, PKCS8, OPEN).decode(),
        "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_refused(value: str) -> None:
    with pytest.raises(PushKeyMalformed):
        push_keys.given(value)


async def test_a_key_that_is_there_is_read_by_many_within_one_transaction() -> None:
    made = await push_keys.private(now=NOW)
    async with transaction():
        assert set(await asyncio.gather(*(push_keys.private(now=NOW) for _ in range(5)))) == {made}


@pytest.mark.parametrize("snapshot", [False, True])
async def test_it_is_made_once_by_many_within_one_transaction_and_outlives_its_undoing(snapshot: bool) -> None:
    found: list[bytes] = []
    with pytest.raises(ZeroDivisionError):
        async with transaction(snapshot=snapshot):
            assert await PushKey.first() is None
            found += await asyncio.gather(*(push_keys.private(now=NOW) for _ in range(5)))
            raise ZeroDivisionError
    assert len(set(found)) == 1
    assert await push_keys.private(now=NOW) == found[0]


async def test_it_is_sealed_anew_by_many_within_one_transaction(use: Use) -> None:
    use(secret_key=OLD)
    made = await push_keys.private(now=NOW)
    use(secret_key=NEW, previous_secret_keys=OLD)
    async with transaction(snapshot=True):
        assert set(await asyncio.gather(*(push_keys.private(now=NOW) for _ in range(5)))) == {made}
    use(secret_key=NEW)
    assert await push_keys.private(now=NOW) == made
