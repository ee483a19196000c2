"""Pages in the order of one custom field, as SQL that its index serves.

Rows with a value come first, which the index has in order, then the others; these are read only as far as the first
leave room. A choice is ordered by the place of its option, so its rows are read option by option.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from engine.conditions import CustomKey
from engine.cursors import unpacked
from engine.pages import Order, PageRequest
from engine.sql import Params
from models import custom_values

# No row has one of these.
FIRST_KEY, LAST_KEY = UUID(int=0), UUID(int=2**128 - 1)


def sole(request: PageRequest) -> CustomKey | None:
    """Return the custom field that a list is ordered by, where it is by nothing else."""
    key = request.orders[0].custom if len(request.orders) == 1 else None
    return key if isinstance(key, CustomKey) else None


def options(order: Order, params: Params) -> str:
    """Return the join of the options of a custom field, one row for all."""
    return f" CROSS JOIN (SELECT {_keys(order, params)} AS keys) {order.options}"


def _keys(order: Order, params: Params) -> str:
    assert isinstance(order.custom, CustomKey)
    return params.once(order.options, list(order.custom.options), "text[]")


def in_parts(request: PageRequest, key: CustomKey, rows: str, tests: str, params: Params) -> str:
    """Return a page of the rows of a list, in no order."""
    [order] = request.orders
    there = custom_values.has(key.id, "r")
    way = "DESC" if order.descending != request.backward else "ASC"
    if order.is_choice:
        valued = _option_by_option(request, key, f"{rows}{there} AND {tests}", way, params)
    else:
        beyond = _beyond_valued(request, params)
        valued = f"{rows}{there} AND {tests}{beyond} ORDER BY {order.within} {way}, r.id {way}"
    empty = f"{rows}NOT {there} AND {tests}{_beyond_empty(request, params)} ORDER BY r.id {way}"
    head, rest = (empty, valued) if request.backward else (valued, empty)
    left = f"greatest(0, {request.most} - (SELECT count(*) FROM head))"
    return (
        f"WITH head AS MATERIALIZED ({head} LIMIT {request.most}), rest AS ({rest} LIMIT {left})"
        " SELECT r.* FROM (SELECT * FROM head UNION ALL SELECT * FROM rest) r"
    )


def _option_by_option(request: PageRequest, key: CustomKey, rows: str, way: str, params: Params) -> str:
    """Return the rows with a choice in the order of the options: the index has those of one by their ids."""
    [order] = request.orders
    value = custom_values.value(key.id, key.type, "r")
    places, beyond = "TRUE", ""
    for place, last, forward, sign in _bounds(request):
        if place is None:
            places += " AND FALSE" if forward else ""
            continue
        at = params.add(place, "bigint")
        places += f" AND o.at {sign}= {at}"
        outermost = FIRST_KEY if sign == ">" else LAST_KEY
        beyond += f" AND r.id {sign} CASE o.at WHEN {at} THEN {params.add(last, 'uuid')} ELSE '{outermost}'::uuid END"
    each = f"{rows} AND {value} = o.key{beyond} ORDER BY r.id {way} LIMIT {request.most}"
    every = f"unnest({_keys(order, params)}) WITH ORDINALITY AS o(key, at)"
    return f"SELECT c.* FROM {every}, LATERAL ({each}) c WHERE {places} ORDER BY o.at {way}, c.id {way}"


def _beyond_valued(request: PageRequest, params: Params) -> str:
    """Return the rows with a value after and before the cursors, as the index has them: by value and id at once."""
    [order] = request.orders
    tests = ""
    for value, last, forward, sign in _bounds(request):
        if value is None:
            tests += " AND FALSE" if forward else ""
        else:
            bound = f"({params.add(value, request.cast(order))}, {params.add(last, 'uuid')})"
            tests += f" AND ({order.within}, r.id) {sign} {bound}"
    return tests


def _beyond_empty(request: PageRequest, params: Params) -> str:
    """Return the rows without a value after and before the cursors; they come last, by their ids."""
    tests = ""
    for value, last, forward, sign in _bounds(request):
        if value is None:
            tests += f" AND r.id {sign} {params.add(last, 'uuid')}"
        else:
            tests += "" if forward else " AND FALSE"
    return tests


def _bounds(request: PageRequest) -> Iterator[tuple[Any, UUID, bool, str]]:
    """Give the value and key of each cursor, whether the page is after it, and how rows of the page compare to it."""
    for cursor, forward in ((request.after, True), (request.before, False)):
        if cursor:
            [value], key = unpacked(request, cursor)
            yield value, key, forward, ">" if forward != request.orders[0].descending else "<"
