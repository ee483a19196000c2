"""Which media types a request speaks and accepts, as RFC 9110 and the GraphQL-over-HTTP draft say."""

from collections.abc import Iterable, Sequence
from email.message import Message


def parsed(header: str) -> tuple[str, dict[str, str]]:
    """Return a media type in lower case, and its parameters."""
    message = Message()
    message["content-type"] = header.replace("\r", " ").replace("\n", " ")
    parameters = message.get_params(failobj=[]) or []
    return message.get_content_type() if "/" in header else "", {name.lower(): value for name, value in parameters[1:]}


def accepted(header: str | None, offers: Sequence[str], *, default: str) -> str | None:
    """Return the offer that the client likes best, or None where it likes none.

    Without a preference it is the default; among offers that it likes equally, the one that it names first.
    """
    if not header or not header.strip():
        return default
    ranges = list(_ranges(header))
    best: tuple[float, int, int] | None = None
    chosen = None
    for offer in sorted(offers, key=lambda offer: offer != default):
        rank = _rank(offer, ranges)
        if rank is not None and rank[0] > 0 and (best is None or rank > best):
            best, chosen = rank, offer
    return chosen


def _ranges(header: str) -> Iterable[tuple[str, float, int]]:
    for place, part in enumerate(header.split(",")):
        name, _, rest = part.partition(";")
        quality = 1.0
        for parameter in rest.split(";"):
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = _quality(value.strip())
        yield name.strip().lower(), quality, -place


def _quality(value: str) -> float:
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def _rank(offer: str, ranges: list[tuple[str, float, int]]) -> tuple[float, int, int] | None:
    """Return quality, closeness and place of the closest range that covers an offer."""
    kind = offer.split("/")[0]
    closeness = {offer: 2, f"{kind}/*": 1, "*/*": 0}
    covering = [(closeness[name], quality, place) for name, quality, place in ranges if name in closeness]
    if not covering:
        return None
    close, quality, place = max(covering)
    return quality, close, place
