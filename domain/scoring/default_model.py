"""The rules that ship with Salescycle: they score workspaces without rules of their own, whose first begin here.

What is missing is told by rules of no points. Nothing of it needs more than a lead, its company, its primary contact,
its needs and its activities, so that a lead is scored in a handful of statements.
"""

from decimal import Decimal
from functools import lru_cache

from domain.scoring.rules import Check, Condition, Dimension, Group, Rule, Rules
from models.catalog import SourceKind

# What a lead is usually worth, in the base currency, where the workspace's settings do not say.
TYPICAL_VALUE = Decimal(10_000)
TYPICAL_VALUE_SETTING = "typicalLeadValue"

SOURCES: dict[SourceKind, tuple[int, str]] = {
    SourceKind.REFERRAL: (20, "Came by referral"),
    SourceKind.CHANNEL_PARTNER: (16, "Came through a partner"),
    SourceKind.WEB_FORM: (15, "Asked on the website"),
    SourceKind.TRADE_SHOW: (12, "Met at a trade show"),
    SourceKind.CAMPAIGN: (12, "Answered a campaign"),
    SourceKind.SOCIAL: (8, "Came from social media"),
    SourceKind.OTHER: (6, "Came from another source"),
    SourceKind.IMPORT: (4, "Came with an import"),
    SourceKind.COLD_OUTREACH: (4, "Was approached cold"),
}
# (times the typical value, points, what that is called), the highest first
VALUES = (
    (Decimal(5), 20, "Worth five times the typical lead or more"),
    (Decimal(2), 16, "Worth twice the typical lead or more"),
    (Decimal(1), 12, "Worth as much as a typical lead"),
    (Decimal("0.5"), 8, "Worth half of a typical lead"),
    (Decimal("0.1"), 4, "Worth little"),
    (Decimal(0), 0, "Worth next to nothing"),
)
SENIORITY = {"Owner or chief": 4, "Director or head": 3, "Manager": 2}
# (days since something happened, points), the fewest first
RECENCY = ((3, 16), (7, 12), (14, 8), (30, 4))
SILENT_DAYS, SILENT_POINTS = 60, -10
LATELY = 30.0


@lru_cache(maxsize=200)
def default_model(typical_value: Decimal = TYPICAL_VALUE) -> Rules:
    """Return the rules that ship, for a workspace whose leads are usually worth so much."""
    groups = (_source(), _value(typical_value), _people(), _plans(), _recency(), _activities())
    return Rules(groups, grades=(0.8, 0.6, 0.3))


def typical_value(setting: str | None) -> Decimal:
    """Return what a workspace's setting says that a lead is usually worth."""
    try:
        value = Decimal(setting) if setting else TYPICAL_VALUE
    except ArithmeticError:
        return TYPICAL_VALUE
    return value if value.is_finite() and value > 0 else TYPICAL_VALUE


def _source() -> Group:
    rules = tuple(
        Rule(f"source_{kind.value.lower()}", label, points, Condition("source_kind", Check.IS, values=(kind.value,)))
        for kind, (points, label) in SOURCES.items()
    )
    missing = _missing("source_unknown", "Source is unknown", "source_kind")
    return Group("source", "Where it comes from", Dimension.FIT, 20, (*rules, missing))


def _value(typical: Decimal) -> Group:
    rules, most = [], None
    for times, points, label in VALUES:
        least = float(times * typical)
        rules.append(Rule(f"value_{times}", label, points, _between("value", least, most)))
        most = least
    missing = _missing("value_unknown", "Value, or its exchange rate, is unknown", "value")
    return Group("value", "What it is worth", Dimension.FIT, 20, (*rules, missing))


def _people() -> Group:
    rules = (
        *_known("company", "company", 6, "Company is known", "Company is unknown"),
        *_known("email", "contact.email", 5, "Contact has an email address", "No email address is known"),
        *_known("phone", "contact.phone", 5, "Contact has a phone number", "No phone number is known"),
        *(
            Rule(
                f"seniority_{points}",
                f"Contact's rank: {rank.lower()}",
                points,
                Condition("contact.seniority", Check.IS, values=(rank,)),
            )
            for rank, points in SENIORITY.items()
        ),
    )
    return Group("people", "Who they are", Dimension.FIT, 20, rules)


def _plans() -> Group:
    rules = (
        *_known("owner", "owner", 4, "Somebody owns it", "Nobody owns it"),
        Rule("close_date", "Expected close date is set", 4, _between("close_date_days", 0)),
        Rule("close_date_passed", "Expected close date has passed", -4, _between("close_date_days", None, 0)),
        _missing("close_date_unknown", "Expected close date is unknown", "close_date_days"),
        Rule("needs", "Needs are known", 4, _between("needs", 1)),
        Rule("needs_unknown", "Needs are unknown", 0, _between("needs", None, 1)),
    )
    return Group("plans", "How far the talk is", Dimension.ENGAGEMENT, 12, rules)


def _recency() -> Group:
    rules, least = [], 0
    for days, points in RECENCY:
        label = f"Something happened in the last {days} days"
        rules.append(Rule(f"happened_{days}", label, points, _between("days_silent", least, days)))
        least = days
    quiet = _between("days_silent", least, SILENT_DAYS)
    rules.append(Rule(f"silent_{least}", f"Nothing happened for {least} days", 0, quiet))
    silent = _between("days_silent", SILENT_DAYS)
    rules.append(Rule(f"silent_{SILENT_DAYS}", f"Nothing happened for {SILENT_DAYS} days", SILENT_POINTS, silent))
    return Group("recency", "How lately something happened", Dimension.ENGAGEMENT, 16, tuple(rules))


def _activities() -> Group:
    meetings = Condition("activity:MEETING", Check.BETWEEN, least=1, within_days=LATELY)
    visits = Condition("activity:PAGE_VISIT", Check.BETWEEN, least=3, within_days=LATELY)
    rules = (
        Rule("inbound", "They came to us", 4, _between("inbound", 1)),
        Rule("meetings", f"Met in the last {LATELY:.0f} days", 5, meetings),
        Rule("visits", f"Visited our pages in the last {LATELY:.0f} days", 3, visits),
    )
    return Group("activities", "What was done", Dimension.ENGAGEMENT, 12, rules)


def _known(key: str, field: str, points: int, label: str, otherwise: str) -> tuple[Rule, Rule]:
    return Rule(key, label, points, Condition(field, Check.KNOWN)), _missing(f"{key}_unknown", otherwise, field)


def _missing(key: str, label: str, field: str) -> Rule:
    return Rule(key, label, 0, Condition(field, Check.UNKNOWN))


def _between(field: str, least: float | None, most: float | None = None) -> Condition:
    return Condition(field, Check.BETWEEN, least=least, most=most)
