"""Passwords: which are accepted, and argon2id hashes, computed beside the event loop."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import DomainError, Faults, Required, TooLong

LEAST, MOST = 10, 1000
FEWEST_DIFFERENT = 4
COMMON_WORDS = """
    0123456789 1234567890 12345678910 123123123123 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc abcdefghij
    administrator adminadmin asdfghjkl; changeme123 football123 iloveyou123 letmein123 letmeinplease
    monkey1234 p@ssword123 passw0rd123 password01 password10 password12 password123 password1234
    password12345 passwordpassword princess123 q1w2e3r4t5 q1w2e3r4t5y6 qwerty1234 qwerty12345 qwerty123456
    qwertyuiop qwertyuiop[] salescycle salescycle1 superman123 sunshine123 trustno1trustno1 welcome123
    welcome1234 zaq12wsxcde3
"""
COMMON = frozenset(COMMON_WORDS.split())

# Two at a time: each takes 19 MiB and a core, and people waiting to sign in must not starve those who work.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
# The second of the equally strong settings of OWASP's password storage cheat sheet (argon2id).
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class PasswordTooShort(DomainError):
    """{field} has {length} characters; at least {least} are needed."""


class PasswordTooCommon(DomainError):
    """{field} is easily guessed: choose one that is less common and less like your name or address."""


def check(faults: Faults, password: str | None, *, field: str, about: tuple[str, ...] = ()) -> str:
    """Check a new password; `about` are words that it must not simply be, such as the address."""
    if not password:
        faults.add(Required(field=field))
    elif len(password) > MOST:
        faults.add(TooLong(field=field, length=len(password), limit=MOST))
    elif len(password) < LEAST:
        faults.add(PasswordTooShort(field=field, length=len(password), least=LEAST))
    elif _is_guessable(_letters(password), [_letters(word) for word in about]):
        faults.add(PasswordTooCommon(field=field))
    return password or ""


async def hashed(password: str) -> str:
    """Return the argon2id hash of a password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, _bytes(password))


async def matches(hash_: str | None, password: str) -> bool:
    """Say whether the password is the one hashed; without a hash it takes as long to say no."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _matches, hash_, password)


def is_outdated(hash_: str) -> bool:
    """Say whether the hash was made with other settings than today's."""
    return _hasher.check_needs_rehash(hash_)


def _matches(hash_: str | None, password: str) -> bool:
    known = hash_ is not None and len(password) <= MOST
    try:
        _hasher.verify(hash_ if hash_ and known else _nobodys_hash(), _bytes(password[:MOST]))
    except (VerificationError, InvalidHashError):
        return False
    return known


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash(b"the password of an account that does not exist")


def _bytes(password: str) -> bytes:
    # The same letters are typed as different code points on different keyboards.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _letters(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_guessable(password: str, about: list[str]) -> bool:
    if len(set(password)) < FEWEST_DIFFERENT or password in COMMON:
        return True
    words = {word for text in about for word in (text, text.partition("@")[0]) if word}
    return any(password in (word, word * 2) or password.strip("0123456789!?.") == word for word in words)
