"""The parts that are invoiced: all that is left at once, or instalments, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from domain import inputs, shares
from domain.errors import DomainError, Faults, OutOfRange, Required
from domain.invoice_amounts import check_amount, paid_in
from domain.invoice_details import Instalment, InvoiceDetails
from domain.invoice_sources import Owed
from domain.shares import HUNDRED, RateSum, Share, written

MOST_INSTALMENTS = 120
MOST_PLANNED_DAYS = 3_660


class NothingToInvoice(DomainError):
    """An invoice must ask for something, and this comes to {total}."""


class TooManyInstalments(DomainError):
    """A plan has 2 to {limit} instalments, not {count}."""


class InstalmentsFall(DomainError):
    """{field} is before {day}, that of the instalment before: give them in their order."""


class OneShare(DomainError):
    """An instalment is a percentage or an amount, not both."""


class DueByInstalment(DomainError):
    """Every instalment says when it is due."""


@dataclass(frozen=True, slots=True)
class Part:
    """One invoice of a plan: what it asks at each rate, when it is issued and due."""

    rates: Sequence[RateSum]
    issue_on: date
    due_on: date


def plan(faults: Faults, owed: Owed, details: InvoiceDetails, *, today: date, payment_days: int) -> list[Part]:
    """Return the invoices that are to be made: one, or as many as there are instalments."""
    total = shares.total_of(owed.left)
    if total <= 0:
        raise NothingToInvoice(total=written(total))
    if total > inputs.MOST_MONEY:
        raise OutOfRange(field="lines", least=0, most=inputs.MOST_MONEY)
    _check_day(faults, details.due_on, today, field="dueOn")
    if not details.instalments:
        return [Part(owed.left, today, details.due_on or today + timedelta(days=payment_days))]
    if not 2 <= len(details.instalments) <= MOST_INSTALMENTS:
        raise TooManyInstalments(limit=MOST_INSTALMENTS, count=len(details.instalments), field="instalments")
    if details.due_on is not None:
        faults.add(DueByInstalment(field="dueOn"))
    dated = [
        _dates(faults, one, f"instalments.{place}", today=today, payment_days=payment_days)
        for place, one in enumerate(details.instalments)
    ]
    given = [
        _share(faults, one, f"instalments.{place}", owed.currency) for place, one in enumerate(details.instalments)
    ]
    faults.raise_any()
    _check_order(faults, dated)
    faults.raise_any()
    left, parts = owed.left, []
    amounts = shares.amounts(total, given, currency=owed.currency, rounding=owed.rounding)
    for amount, (issue_on, due_on) in zip(amounts, dated, strict=True):
        rates = shares.part(left, amount, currency=owed.currency)
        left = shares.less(left, rates)
        parts.append(Part(rates, issue_on, due_on))
    return parts


def _dates(faults: Faults, one: Instalment, field: str, *, today: date, payment_days: int) -> tuple[date, date]:
    """Return when an instalment is issued and due."""
    _check_day(faults, one.due_on, today, field=f"{field}.dueOn")
    _check_day(faults, one.issue_on, today, field=f"{field}.issueOn")
    due_on = one.due_on
    if due_on is None:
        faults.add(Required(field=f"{field}.dueOn"))
        return today, today
    issue_on = one.issue_on or max(today, due_on - timedelta(days=payment_days))
    if issue_on > due_on >= today:
        faults.add(OutOfRange(field=f"{field}.issueOn", least=today.isoformat(), most=due_on.isoformat()))
    return issue_on, due_on


def _check_day(faults: Faults, day: date | None, today: date, *, field: str) -> None:
    last = today + timedelta(days=MOST_PLANNED_DAYS)
    if day is not None and not today <= day <= last:
        faults.add(OutOfRange(field=field, least=today.isoformat(), most=last.isoformat()))


def _check_order(faults: Faults, dated: Sequence[tuple[date, date]]) -> None:
    """Check that instalments are issued and due one after the other, or on the same day."""
    for place, ((issued, due), (issue_on, due_on)) in enumerate(pairwise(dated), 1):
        if due_on < due:
            faults.add(InstalmentsFall(day=due.isoformat(), field=f"instalments.{place}.dueOn"))
        elif issue_on < issued:
            faults.add(InstalmentsFall(day=issued.isoformat(), field=f"instalments.{place}.issueOn"))


def _share(faults: Faults, one: Instalment, field: str, currency: str) -> Share:
    if one.percent is not None and one.amount is not None:
        faults.add(OneShare(field=f"{field}.amount"))
    check_amount(faults, one.percent, field=f"{field}.percent", most=HUNDRED)
    amount = None if one.amount is None else paid_in(faults, one.amount, currency, field=f"{field}.amount")
    return Share(one.percent, amount)
