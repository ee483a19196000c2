"""What the relay publishes is what API processes read."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from hypothesis import given
from hypothesis import strategies as st
from orjson import dumps

from adapters import live

HOME = uuid4()
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def row(position: int, data: Any) -> dict[str, Any]:
    return {
        "id": asyncpg.pgproto.pgproto.UUID(str(uuid4())),
        "position": position,
        "name": "lead.moved",
        "subject_id": uuid4(),
        "actor": '{"kind": "SYSTEM"}',
        "client_mutation_id": None,
        "data": dumps(data).decode(),
        "occurred_at": datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC),
    }


@given(st.lists(st.dictionaries(st.text(), json, max_size=3), min_size=1, max_size=5))
def test_a_batch_survives_the_way(all_data: list[dict[str, Any]]) -> None:
    rows = [row(7 + number, data) for number, data in enumerate(all_data)]
    batch = live.decode(live.encode(HOME, rows))
    assert (batch.workspace_id, batch.first, batch.last) == (HOME, 7, 6 + len(rows))
    assert batch.events is not None
    for event, sent, data in zip(batch.events, rows, all_data, strict=True):
        assert (event.workspace_id, event.position, event.data) == (HOME, sent["position"], data)
        assert (event.id, event.subject_id, event.occurred_at) == (sent["id"], sent["subject_id"], sent["occurred_at"])
        assert (event.actor, event.name, event.client_mutation_id) == ({"kind": "SYSTEM"}, "lead.moved", None)
        assert type(event.id) is UUID


def test_too_many_events_are_only_announced() -> None:
    rows = [row(number, {}) for number in range(1, live.MOST_EVENTS + 2)]
    batch = live.decode(live.encode(HOME, rows))
    assert (batch.first, batch.last, batch.events) == (1, live.MOST_EVENTS + 1, None)
    assert live.decode(live.encode(HOME, rows[:-1])).events


def test_every_workspace_has_a_channel_of_its_own() -> None:
    assert live.channel(HOME) != live.channel(uuid4())
