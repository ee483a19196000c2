"""Pages by keyset as SQL: one statement for a page, or for a page of each of many parents by a lateral join."""

from domain.actors import Actor
from engine import custom_orders
from engine.cursors import unpacked
from engine.nouns import NOUNS
from engine.pages import Bound, PageRequest
from engine.select import Select
from engine.sql import Params, Slot, few_owners, on_board, visible, where


def page(params: Params, actor: Actor, request: PageRequest, select: Select, cursors: bool, nested: bool) -> str:
    """Return the statement of what is selected of a page, one row more where there is more.

    With `cursors`, what rows are ordered by and their ids follow. `nested` it is of a page of each parent, whose keys
    are what was given first; the parent's place, from 1, comes last.
    """
    columns, joins = select.rendered(actor, params)
    if cursors:
        columns += "".join(f", {order.outside}" for order in request.total_order)
    if not nested:
        rows = _limited(request, actor, params)
        return f"SELECT {columns} FROM ({rows}) r {joins} {_order(request, within=False)}"
    keys = params.add(Slot(0), "uuid[]")
    rows = _limited(request, actor, params, link=f"{parent_column(request)} = parent.id AND ")
    source = f"unnest({keys}) WITH ORDINALITY AS parent(id, place), LATERAL ({rows}) r {joins}"
    return f"SELECT {columns}, parent.place FROM {source} {_order(request, 'parent.place', within=False)}"


def parent_column(request: PageRequest) -> str:
    """Return what holds the parent's key."""
    return f't."{request.through[1]}"' if request.through else f'r."{request.by}"'


def source(request: PageRequest) -> str:
    """Return where rows come from, with the table between them and their parents."""
    if request.through is None:
        return f"{request.noun.table} r"
    table, _, theirs = request.through
    return f'"{table}" t JOIN {request.noun.table} r ON r.id = t."{theirs}"'


def tests(
    request: PageRequest, actor: Actor, params: Params, *, bounded: bool = False, owner: str | None = None
) -> str:
    """Return which rows belong to a list; `bounded` by its cursors."""
    found = [
        visible(request.model, actor, params, "r", live=request.live, owner=owner),
        where(request.noun, request.condition, actor, params, "r"),
    ]
    if request.board_at:
        found.append(on_board(params, actor, request.board_at))
    if bounded and request.after:
        found.append(_beyond(request, request.after, params, forward=True))
    if bounded and request.before:
        found.append(_beyond(request, request.before, params, forward=False))
    return " AND ".join(f"({test})" for test in found)


def _limited(request: PageRequest, actor: Actor, params: Params, *, link: str = "") -> str:
    """Return the rows of one page as SQL.

    What a few people own is read person by person and merged: an index gives each one's rows in order. Where there is
    none for the order, a person's rows are found first and sorted then, since PostgreSQL might otherwise walk the
    index of the order through everybody's rows.
    """
    beside = "".join(f', {order.within} AS "{order.name}"' for order in request.orders if order.is_beside)
    links = dict.fromkeys(order.link for order in request.orders if order.link)
    joins = "".join(_joined(request, name, actor, params) for name in links)
    joins += "".join(custom_orders.options(order, params) for order in request.orders if order.is_choice)
    rows = f"SELECT r.*{beside} FROM {source(request)}{joins} WHERE {link}"
    owners = few_owners(request.model, actor, params)
    if owners is None and not link and (key := custom_orders.sole(request)):
        rows = custom_orders.in_parts(request, key, rows, tests(request, actor, params), params)
        return f"{rows} {_order(request, within=False)}"
    # The limit is no parameter: PostgreSQL would plan every execution anew, which takes it longer than the rest.
    tail = f"{_order(request, within=True)} LIMIT {request.most}"
    if owners is None:
        return f"{rows}{tests(request, actor, params, bounded=True)} {tail}"
    owned = f"{rows}{tests(request, actor, params, bounded=True, owner='owner.id')}"
    owned = f"{owned} {tail}" if _indexed_by_owner(request) else f"{owned} OFFSET 0"
    outside = _order(request, within=False)
    return f"SELECT r.* FROM unnest({owners}) AS owner(id), LATERAL ({owned}) r {outside} LIMIT {request.most}"


def _joined(request: PageRequest, name: str, actor: Actor, params: Params) -> str:
    """Return the join of the row that a link leads to, where it exists for the actor."""
    link, alias = request.noun.links[name], f"o_{name}"
    on = f'{alias}."{link.theirs}" = r."{link.ours}" AND {visible(link.to, actor, params, alias)}'
    return f" LEFT JOIN {NOUNS[link.to].table} {alias} ON {on}"


def _indexed_by_owner(request: PageRequest) -> bool:
    """Say whether an index gives the leads of an owner in the order asked for."""
    if len(request.orders) != 1 or request.orders[0].is_beside:
        return False
    [first], on_board = request.orders, request.by == "stage_id" and request.board_at is not None
    return first.column == ("rank" if on_board else "created_at") or (
        first.column == "score" and first.descending and not on_board
    )


def _order(request: PageRequest, *first: str, within: bool) -> str:
    terms = [*first]
    for order in request.total_order:
        down = order.descending != request.backward
        # An index without a NULLS clause serves only an ORDER BY without one, even on a column without nulls.
        nulls = f" NULLS {'FIRST' if request.backward else 'LAST'}" if request.nullable(order) else ""
        terms.append(f"{order.within if within else order.outside} {'DESC' if down else 'ASC'}{nulls}")
    return f"ORDER BY {', '.join(terms)}"


def _beyond(request: PageRequest, cursor: str | Bound, params: Params, *, forward: bool) -> str:
    """Return the rows strictly after (or before) a cursor in the list's order, nulls last."""
    values, key = unpacked(request, cursor)
    branches: list[str] = []
    equal = bounds = ""
    for order, value in zip(request.total_order, (*values, key), strict=True):
        column = order.within
        if value is None:
            beyond = "FALSE" if forward else f"{column} IS NOT NULL"
            same = f"{column} IS NULL"
        else:
            bound, sign = params.add(value, request.cast(order)), ">" if forward != order.descending else "<"
            beyond, same = f"{column} {sign} {bound}", f"{column} = {bound}"
            if forward and request.nullable(order):
                beyond += f" OR {column} IS NULL"
            if request.orders and not branches and not request.nullable(order):
                # An index begins with this one; those below cannot tell it where.
                bounds = f"{column} {sign}= {bound} AND "
        branches.append(f"{equal}({beyond})")
        equal += f"{same} AND "
    beyond = " OR ".join(f"({branch})" for branch in branches)
    return f"{bounds}({beyond})" if bounds else beyond
