"""Invoices issued by 32 clients at once: how many a second, and whether their numbers have a gap.

`python -m bench.invoices DATABASE_URL [ROUNDS]`, on a database that was migrated; it makes a workspace of its own.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from statistics import quantiles

from domain import captures, invoices, pipelines
from domain.actors import ALL, Actor, ActorKind
from domain.captures import Capture
from domain.invoice_details import FreeLine, InvoiceDetails, Source
from domain.leads import LeadDetails
from models.database import close_database, open_database
from models.users import Membership, Role, User
from models.workspaces import Workspace

CLIENTS, ROUNDS = 32, 20


async def _seller(now: datetime) -> Actor:
    home = await Workspace.create(name="Bench", base_currency="EUR", created_at=now, updated_at=now)
    email = f"{home.id}@example.com"
    user = await User.create(name="Bench", email=email, email_normalised=email, created_at=now, updated_at=now)
    await Membership.create(workspace_id=home.id, user_id=user.id, role=Role.ADMIN, created_at=now, updated_at=now)
    actor = Actor(ActorKind.USER, home.id, user_id=user.id, role=Role.ADMIN, rows=ALL)
    await pipelines.create_default(actor, now=now)
    return actor


async def run(url: str, rounds: int) -> None:
    """Issue invoices and print what it took."""
    await open_database(url, pool_size=CLIENTS)
    now = datetime.now(UTC)
    actor = await _seller(now)
    leads = [
        await captures.capture(actor, Capture(details=LeadDetails(title=f"Lead {number}")), now=now)
        for number in range(CLIENTS)
    ]
    details = InvoiceDetails(lines=[FreeLine(name="Work", unit_price=Decimal(100), tax_rate=Decimal(19))])
    took: list[float] = []
    numbers: list[str] = []

    async def client(place: int) -> None:
        for _ in range(rounds):
            begun = time.perf_counter()
            [made] = await invoices.issue(actor, Source(lead_id=leads[place].id), details, now=now)
            took.append((time.perf_counter() - begun) * 1000)
            numbers.append(made.number or "")

    begun = time.perf_counter()
    await asyncio.gather(*(client(place) for place in range(CLIENTS)))
    seconds = time.perf_counter() - begun
    counted = sorted(int(number.rpartition("-")[2]) for number in numbers)
    gapless = counted == list(range(1, CLIENTS * rounds + 1))
    cuts = quantiles(took, n=100)
    print(f"{len(numbers)} invoices by {CLIENTS} clients at once: {len(numbers) / seconds:.0f} a second")
    print(f"each took {cuts[49]:.1f} ms (median), {cuts[98]:.1f} ms (99 %)")
    print("gapless" if gapless else "NOT gapless")
    await close_database()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS))
