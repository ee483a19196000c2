"""Rules as people give them, checked against what is known of their workspace's leads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from domain import inputs
from domain.errors import DomainError, Faults, Malformed, OutOfRange, Required, TooLong
from domain.learning.kinds import ColumnKind
from domain.scoring.fields import Catalogue, Field
from domain.scoring.rules import ALL_ACTIVITIES, Check, Condition, Dimension, Group, Rule, Rules

MOST_GROUPS = 20
MOST_RULES = 50
MOST_VALUES = 200
MOST_POINTS = 100
LONGEST_DAYS = 3_660.0
SHORTEST_HALF_LIFE = 0.1

CHECKS = {
    ColumnKind.NUMBER: (Check.KNOWN, Check.UNKNOWN, Check.BETWEEN),
    ColumnKind.CATEGORY: (Check.KNOWN, Check.UNKNOWN, Check.IS, Check.IS_NOT),
    ColumnKind.SET: (Check.KNOWN, Check.UNKNOWN, Check.HAS),
    ColumnKind.WORDS: (Check.KNOWN, Check.UNKNOWN, Check.HAS),
}
WITH_VALUES = (Check.IS, Check.IS_NOT, Check.HAS)


class UnknownScoreField(DomainError):
    """{name} is nothing that is known of leads: choose one of scoreFields, or take the rule out."""


class MisfittingCheck(DomainError):
    """{label} cannot be tested by {check}: use {fitting}."""


class OverlappingHalfLives(DomainError):
    """{rule} and {other} count the same activities with different half-lives: give both the same, or drop one."""


class NothingFades(DomainError):
    """{label} counts no activities, so that withinDays and halfLifeDays say nothing: leave them out."""


class TooManyScoreRules(DomainError):
    """A model has at most {groups} groups with at most {rules} rules each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRules:
    """What people say of a model by rules: its groups, and from which shares on leads fit and are engaged."""

    groups: Sequence[Group]
    grades: tuple[float, float, float] = (0.75, 0.5, 0.25)
    levels: tuple[float, float, float] = (0.75, 0.5, 0.25)


def check(faults: Faults, given: GivenRules, catalogue: Catalogue, *, field: str = "rules") -> Rules:
    """Check rules and return them, each with a key of its own."""
    if not given.groups:
        faults.add(Required(field=f"{field}.groups"))
    if len(given.groups) > MOST_GROUPS or any(len(group.rules) > MOST_RULES for group in given.groups):
        faults.add(TooManyScoreRules(groups=MOST_GROUPS, rules=MOST_RULES, field=f"{field}.groups"))
        return Rules(())
    groups = tuple(
        _group(faults, group, at, catalogue, field=f"{field}.groups.{at}") for at, group in enumerate(given.groups)
    )
    for name, borders in (("grades", given.grades), ("levels", given.levels)):
        _borders(faults, borders, field=f"{field}.{name}")
    _forbid_overlaps(faults, groups, field=field)
    return Rules(groups, given.grades, given.levels)


def problems(rules: Rules, catalogue: Catalogue) -> list[DomainError]:
    """Return what holds of rules no more: fields that are gone or are of another kind by now."""
    faults = Faults()
    for at, group in enumerate(rules.groups):
        for number, rule in enumerate(group.rules):
            _condition(
                faults, rule.label, rule.condition, catalogue, field=f"rules.groups.{at}.rules.{number}.condition"
            )
    return list(faults)


def _group(faults: Faults, group: Group, at: int, catalogue: Catalogue, *, field: str) -> Group:
    label = inputs.name(faults, group.label, field=f"{field}.label")
    _within(faults, group.cap, 0, MOST_POINTS, field=f"{field}.cap")
    _within(faults, group.floor, 0, MOST_POINTS, field=f"{field}.floor")
    if not group.rules:
        faults.add(Required(field=f"{field}.rules"))
    rules = tuple(
        _rule(faults, rule, f"{at}.{number}", catalogue, field=f"{field}.rules.{number}")
        for number, rule in enumerate(group.rules)
    )
    return Group(str(at), label, Dimension(group.dimension), float(group.cap), rules, float(group.floor))


def _rule(faults: Faults, rule: Rule, key: str, catalogue: Catalogue, *, field: str) -> Rule:
    label = inputs.name(faults, rule.label, field=f"{field}.label")
    _within(faults, rule.points, -MOST_POINTS, MOST_POINTS, field=f"{field}.points")
    condition = _condition(faults, label, rule.condition, catalogue, field=f"{field}.condition")
    return Rule(key, label, float(rule.points), condition)


def _condition(faults: Faults, rule: str, given: Condition, catalogue: Catalogue, *, field: str) -> Condition:
    known = catalogue.fields.get(given.field)
    if known is None:
        name = f"What {rule} looks at ({given.field[: inputs.NAME_LIMIT]})"
        faults.add(UnknownScoreField(name=name, field=f"{field}.field"))
        return given
    if given.check not in CHECKS[known.kind]:
        fitting = ", ".join(CHECKS[known.kind])
        faults.add(MisfittingCheck(label=known.label, check=given.check.value, fitting=fitting, field=f"{field}.check"))
        return given
    _values(faults, given, field=field)
    _bounds(faults, given, field=field)
    _fading(faults, given, known, field=field)
    return given


def _values(faults: Faults, given: Condition, *, field: str) -> None:
    if given.check in WITH_VALUES and not given.values:
        faults.add(Required(field=f"{field}.values"))
    if len(given.values) > MOST_VALUES:
        faults.add(OutOfRange(field=f"{field}.values", least=1, most=MOST_VALUES))
    for at, value in enumerate(given.values[:MOST_VALUES]):
        if len(value) > inputs.NAME_LIMIT:
            faults.add(TooLong(field=f"{field}.values.{at}", limit=inputs.NAME_LIMIT))


def _bounds(faults: Faults, given: Condition, *, field: str) -> None:
    if given.check is not Check.BETWEEN:
        return
    if given.least is None and given.most is None:
        faults.add(Required(field=f"{field}.least"))
    for name, value in (("least", given.least), ("most", given.most)):
        if value is not None and not math.isfinite(value):
            faults.add(Malformed(field=f"{field}.{name}", what="a finite number"))
    if given.least is not None and given.most is not None and given.least >= given.most:
        faults.add(Malformed(field=f"{field}.most", what="a number above least, since most is not included"))


def _fading(faults: Faults, given: Condition, known: Field, *, field: str) -> None:
    if given.within_days is None and given.half_life_days is None:
        return
    if not given.counts or given.check is not Check.BETWEEN:
        faults.add(NothingFades(label=known.label, field=field))
        return
    for name, value, least in (
        ("withinDays", given.within_days, SHORTEST_HALF_LIFE),
        ("halfLifeDays", given.half_life_days, SHORTEST_HALF_LIFE),
    ):
        if value is not None:
            _within(faults, value, least, LONGEST_DAYS, field=f"{field}.{name}")


def _within(faults: Faults, value: float, least: float, most: float, *, field: str) -> None:
    # Nothing that is no number lies between two.
    if not least <= value <= most:
        faults.add(OutOfRange(field=field, least=least, most=most))


def _borders(faults: Faults, borders: Sequence[float], *, field: str) -> None:
    # How many there are, only the domain says.
    if len(borders) != 3 or not 1 >= borders[0] > borders[1] > borders[2] > 0:
        faults.add(Malformed(field=field, what="three falling shares between 1 and 0"))


def _forbid_overlaps(faults: Faults, groups: Sequence[Group], *, field: str) -> None:
    """In a model the same activities fade in one way: of two half-lives nobody could say how long one counts."""
    fading: list[Rule] = []
    for at, group in enumerate(groups):
        for number, rule in enumerate(group.rules):
            if rule.condition.half_life_days is None:
                continue
            if (other := next((one for one in fading if _overlap(one.condition, rule.condition)), None)) is not None:
                path = f"{field}.groups.{at}.rules.{number}.condition.halfLifeDays"
                faults.add(OverlappingHalfLives(rule=rule.label, other=other.label, field=path))
            fading.append(rule)


def _overlap(one: Condition, other: Condition) -> bool:
    counts_same = one.field == other.field or ALL_ACTIVITIES in (one.field, other.field)
    return counts_same and one.half_life_days != other.half_life_days
