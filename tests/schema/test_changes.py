"""A change that would break a client is refused unless it was accepted."""

from graphql import build_schema

from schema.changes import unaccepted

BEFORE = "type Query { lead: String leads: String }"
AFTER = build_schema("type Query { lead: String }")


def test_a_field_that_goes_breaks_clients() -> None:
    assert unaccepted(BEFORE, AFTER, accepted="") == ["Field Query.leads was removed."]


def test_an_accepted_change_is_no_longer_refused() -> None:
    assert unaccepted(BEFORE, AFTER, accepted="# Accepted\n\n- Field Query.leads was removed.\n") == []


def test_a_new_field_breaks_nobody() -> None:
    assert unaccepted("type Query { lead: String }", build_schema(BEFORE), accepted="") == []
