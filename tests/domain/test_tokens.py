"""Links: nobody but the server can make one, and one kind does not serve as another."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import tokens
from domain.tokens import InvalidLink, Kind
from models.base import uuid7
from settings import settings


@given(key=st.uuids(), kind=st.sampled_from(Kind))
def test_a_token_names_its_row_and_can_be_made_again(key: UUID, kind: Kind) -> None:
    assert tokens.verify(kind, tokens.sign(kind, key)) == key
    assert tokens.sign(kind, key) == tokens.sign(kind, key)


def test_a_token_of_one_kind_is_none_of_another() -> None:
    with pytest.raises(InvalidLink):
        tokens.verify(Kind.PASSWORD_RESET, tokens.sign(Kind.INVITATION, uuid7()))


@given(place=st.integers(0, 63), letter=st.sampled_from("ABCXYZabcxyz0189-_"))
def test_a_changed_token_is_refused(place: int, letter: str) -> None:
    token = tokens.sign(Kind.INVITATION, UUID(int=7))
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(InvalidLink):
            tokens.verify(Kind.INVITATION, changed)


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidLink):
        tokens.verify(Kind.INVITATION, text)


@pytest.mark.parametrize("filling", ["=", "é", " ", "\x00", "A"])
def test_64_odd_characters_are_refused(filling: str) -> None:
    with pytest.raises(InvalidLink):
        tokens.verify(Kind.INVITATION, filling * 64)


def test_another_servers_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.sign(Kind.INVITATION, UUID(int=7))
    monkeypatch.setenv("SECRET_KEY", "another secret of more than 32 characters")
    settings.cache_clear()
    tokens.secret.cache_clear()
    try:
        with pytest.raises(InvalidLink):
            tokens.verify(Kind.INVITATION, token)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        tokens.secret.cache_clear()


@pytest.mark.parametrize("secret", ["", "too short to be a secret"])
def test_a_server_without_a_proper_secret_signs_nothing(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", secret)
    settings.cache_clear()
    tokens.secret.cache_clear()
    try:
        with pytest.raises(tokens.SecretKeyMissing):
            tokens.sign(Kind.INVITATION, uuid7())
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        tokens.secret.cache_clear()
