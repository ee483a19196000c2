"""What an actor may spend: a budget that refills by the second, kept in Redis for all processes together.

Each process leases slices of it and spends those by itself, since asking Redis for every request would cost half as
much as answering a page. A slice that is not spent soon is forgotten, and has refilled by then.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import structlog

from adapters.redis import UNREACHABLE, Client
from domain.errors import RateLimited
from schema.context import Throttle
from settings import Settings

PREFIX = "salescycle:budget:"
LEASE_SECONDS = 5.0
MOST_LEASES = 10_000

# Times are Redis's own, so that the clocks of processes do not matter. The last argument is the least that helps.
LEASE = """
local most, rate, wanted, least = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'points', 'at')
local points = tonumber(kept[1]) or most
points = math.min(most, points + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local given = 0
if points >= least then given = math.floor(math.min(points, wanted)) end
redis.call('HSET', KEYS[1], 'points', tostring(points - given), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / rate) + 1)
return {given, math.floor(points - given)}
"""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lease:
    """Points of a budget that this process may spend, and what Redis had left when it gave them."""

    points: int = 0
    left: int = 0
    until: float = 0.0


class Budgets:
    """The budgets of all actors, as this process sees them."""

    def __init__(self, redis: Client, settings: Settings) -> None:
        self._most, self._rate = settings.budget, settings.budget_per_second
        self._slice = max(1, min(self._most, self._rate // 4))
        self._lease: Any = redis.register_script(LEASE)
        self._leases: OrderedDict[str, Lease] = OrderedDict()

    async def spend(self, who: str, cost: int) -> Throttle | None:
        """Take what an operation costs from somebody's budget and say how it stands; raises RateLimited.

        Without a limit, or without Redis to keep it, there is nothing to say.
        """
        if not self._most:
            return None
        cost = min(max(cost, 1), self._most)
        lease = self._leased(who)
        # Others of this process may have spent meanwhile what was leased for this one.
        while lease.points < cost:
            try:
                given = await self._renew(who, lease, cost)
            except UNREACHABLE as error:
                log.warning("budgets are not kept while Redis does not answer", error=str(error))
                return None
            if not given and lease.points < cost:
                missing = cost - lease.points - lease.left
                raise RateLimited(seconds=max(1, math.ceil(missing / self._rate)))
        lease.points -= cost
        return Throttle(maximum=self._most, available=lease.points + lease.left, restore_rate=self._rate)

    def _leased(self, who: str) -> Lease:
        lease = self._leases.setdefault(who, Lease())
        self._leases.move_to_end(who)
        if len(self._leases) > MOST_LEASES:
            self._leases.popitem(last=False)
        if lease.until <= time.monotonic():
            lease.points = 0
        return lease

    async def _renew(self, who: str, lease: Lease, cost: int) -> int:
        least = cost - lease.points
        arguments = [self._most, self._rate, max(self._slice, least), least]
        given, left = await self._lease(keys=[PREFIX + who], args=arguments)
        lease.points += given
        lease.left = left
        lease.until = time.monotonic() + LEASE_SECONDS
        return int(given)
