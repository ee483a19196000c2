"""Links: nobody but the server can make one, and one kind does not serve as another."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain import tokens
from domain.tokens import InvalidLink, Kind
from models.base import uuid7
from settings import Settings
from tests.keys import NEW, OLD, server_with

THIRD = "a third secret of more than thirty-two characters"


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


def test_another_servers_token_is_refused() -> None:
    token = tokens.sign(Kind.INVITATION, UUID(int=7))
    with server_with(key=NEW), pytest.raises(InvalidLink):
        tokens.verify(Kind.INVITATION, token)


def test_a_token_by_a_key_before_is_accepted_until_that_key_is_dropped() -> None:
    key = uuid7()
    with server_with(key=OLD):
        token = tokens.sign(Kind.INVITATION, key)
    with server_with(key=NEW, previous=f"{THIRD}, {OLD} ,"):
        assert tokens.verify(Kind.INVITATION, token) == key
        with pytest.raises(InvalidLink):
            tokens.verify(Kind.PASSWORD_RESET, token)
        renewed = tokens.sign(Kind.INVITATION, key)
        assert renewed != token
    with server_with(key=NEW, previous=THIRD):
        assert tokens.verify(Kind.INVITATION, renewed) == key
        with pytest.raises(InvalidLink):
            tokens.verify(Kind.INVITATION, token)


def test_a_key_before_signs_nothing() -> None:
    with server_with(key=NEW, previous=OLD):
        token = tokens.sign(Kind.INVITATION, UUID(int=7))
    with server_with(key=OLD), pytest.raises(InvalidLink):
        tokens.verify(Kind.INVITATION, token)


def test_a_short_key_before_is_refused_when_the_settings_are_read() -> None:
    with pytest.raises(ValidationError, match="at least 32 characters"):
        Settings(previous_secret_keys=f"{NEW},short")


@pytest.mark.parametrize("secret", ["", "too short to be a secret"])
def test_a_server_without_a_proper_secret_signs_nothing(secret: str) -> None:
    with server_with(key=secret, previous=OLD), pytest.raises(tokens.SecretKeyMissing):
        tokens.sign(Kind.INVITATION, uuid7())
