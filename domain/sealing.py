"""What is kept so that only the server reads it: sealed under SECRET_KEY, each purpose by a key of its own."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from domain import tokens

KEY_BYTES = 32


class NotOpened(Exception):
    """It was sealed under another SECRET_KEY, which is none of PREVIOUS_SECRET_KEYS either, or altered."""


def seal(purpose: str, plain: bytes) -> str:
    """Return what only `opened` reads, in URL-safe characters."""
    return _keys(purpose)[0].encrypt(plain).decode()


def opened(purpose: str, sealed: str) -> bytes:
    """Return what was sealed, under any key that the server accepts; raises NotOpened."""
    try:
        return MultiFernet(_keys(purpose)).decrypt(sealed)
    except InvalidToken as error:
        raise NotOpened from error


def is_by_newest(purpose: str, sealed: str) -> bool:
    """Say whether it is sealed under the server's own key and not under one of those before."""
    try:
        _keys(purpose)[0].decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _keys(purpose: str) -> list[Fernet]:
    return [Fernet(base64.urlsafe_b64encode(key[:KEY_BYTES])) for key in tokens.secrets(purpose)]
