"""The rules that ship with Salescycle as a model of a workspace's own: what its first own model begins with."""

from decimal import Decimal

from domain.scoring.default_rules import (
    CLOSE_DATE_POINTS,
    COMPANY_POINTS,
    NEED_POINTS,
    OWNER_POINTS,
    REACHABLE_POINTS,
    RECENCY_POINTS,
    SILENT_POINTS,
    SMALL_VALUE_POINTS,
    SOURCE_POINTS,
    TYPICAL_VALUE,
    VALUE_POINTS,
)
from domain.scoring.rules import Check, Condition, Dimension, Group, Rule, Rules

SENIORITY = {"Owner or chief": 6, "Director or head": 4, "Manager": 2}


def default_model(typical_value: Decimal = TYPICAL_VALUE) -> Rules:
    """Return the default rules for a workspace whose leads are usually worth so much."""
    return Rules((_source(), _value(typical_value), _company_and_people(), _plans(), _recency(), _activities()))


def _source() -> Group:
    rules = tuple(
        Rule(f"source_{kind.value.lower()}", label, points, Condition("source_kind", Check.IS, values=(kind.value,)))
        for kind, (points, label) in SOURCE_POINTS.items()
    )
    return Group("source", "Where it comes from", Dimension.FIT, 25, rules)


def _value(typical: Decimal) -> Group:
    borders = [(float(times * typical), points) for times, points in VALUE_POINTS]
    rules, most = [], None
    for number, (least, points) in enumerate([*borders, (0.01, SMALL_VALUE_POINTS)]):
        label = f"Value is {least:,.0f} or more" if least >= 1 else "Value is small"
        condition = Condition("value", Check.BETWEEN, least=least, most=most)
        rules.append(Rule(f"value_{len(borders) - number}", label, points, condition))
        most = least
    return Group("value", "What it is worth", Dimension.FIT, 25, tuple(rules))


def _company_and_people() -> Group:
    rules = (
        Rule("company", "Company is known", COMPANY_POINTS, Condition("company", Check.KNOWN)),
        Rule("email", "Contact has an email address", REACHABLE_POINTS / 2, Condition("contact.email", Check.KNOWN)),
        Rule("phone", "Contact has a phone number", REACHABLE_POINTS / 2, Condition("contact.phone", Check.KNOWN)),
        *(
            Rule(f"seniority_{points}", label, points, Condition("contact.seniority", Check.IS, values=(label,)))
            for label, points in SENIORITY.items()
        ),
        Rule("won_before", "They have bought before", 6, Condition("company.won_before", Check.BETWEEN, least=1)),
    )
    return Group("people", "Who they are", Dimension.FIT, 18, rules)


def _plans() -> Group:
    rules = (
        Rule("owner", "Somebody owns it", OWNER_POINTS, Condition("owner", Check.KNOWN)),
        Rule(
            "close_date",
            "Expected close date is set",
            CLOSE_DATE_POINTS,
            Condition("close_date_days", Check.BETWEEN, least=0),
        ),
        Rule("needs", "Needs are known", NEED_POINTS, Condition("needs", Check.BETWEEN, least=1)),
    )
    return Group("plans", "What is known of the sale", Dimension.ENGAGEMENT, 12, rules)


def _recency() -> Group:
    rules, least = [], 0.0
    for days, points in RECENCY_POINTS:
        condition = Condition("days_silent", Check.BETWEEN, least=least, most=float(days))
        if points:
            rules.append(Rule(f"silent_{days}", f"Something happened in the last {days} days", points, condition))
        least = float(days)
    condition = Condition("days_silent", Check.BETWEEN, least=least)
    rules.append(Rule("silent", f"Nothing happened for {least:.0f} days", SILENT_POINTS, condition))
    return Group("recency", "How lately something happened", Dimension.ENGAGEMENT, 20, tuple(rules), -SILENT_POINTS)


def _activities() -> Group:
    half_life = 30.0
    rules = (
        Rule("inbound", "They have come to us", 4, Condition("inbound", Check.BETWEEN, least=1)),
        Rule(
            "meetings",
            "Meetings were held lately",
            6,
            Condition("activity:MEETING", Check.BETWEEN, least=1, half_life_days=half_life),
        ),
        Rule(
            "visits",
            "Pages were visited lately",
            4,
            Condition("activity:PAGE_VISIT", Check.BETWEEN, least=3, half_life_days=half_life),
        ),
    )
    return Group("activities", "What was done", Dimension.ENGAGEMENT, 10, rules)
