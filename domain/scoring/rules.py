"""Scores by rules: groups of points with a cap each, for what is known of a lead and what was done with it lately.

A rule's points are earned where its condition holds. Counted activities may be bounded to the last days, and may fade:
with a half-life each counts half as much after every so many days, and the points are earned in proportion. A group
gives at most its cap and takes at most its floor; where it would give more, each of its rules gives its share of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from domain.scoring import fields

FORMAT = 1
ALL_ACTIVITIES = "activities"


class Dimension(StrEnum):
    """FIT is who they are, ENGAGEMENT what they do."""

    FIT = "FIT"
    ENGAGEMENT = "ENGAGEMENT"


class Check(StrEnum):
    """How a field is looked at: texts are one of several (IS, HAS), numbers at least and less than something."""

    KNOWN = "KNOWN"
    UNKNOWN = "UNKNOWN"
    IS = "IS"
    IS_NOT = "IS_NOT"
    HAS = "HAS"
    BETWEEN = "BETWEEN"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a field. BETWEEN is `least` <= number < `most`, either of which may be open.

    Of activities, `within_days` bounds which are counted, and `half_life_days` lets them fade.
    """

    field: str
    check: Check
    values: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    within_days: float | None = None
    half_life_days: float | None = None

    @property
    def counts(self) -> bool:
        """Say whether it counts activities."""
        return self.field.startswith(fields.ACTIVITY) or self.field == ALL_ACTIVITIES


@dataclass(frozen=True, slots=True)
class Rule:
    """Points, also less than none, for a condition; `label` says so in words that a seller understands."""

    key: str
    label: str
    points: float
    condition: Condition


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that together give at most `cap` points and take at most `floor`."""

    key: str
    label: str
    dimension: Dimension
    cap: float
    rules: tuple[Rule, ...]
    floor: float = 100.0


@dataclass(frozen=True, slots=True)
class Rules:
    """A model by rules. `grades` and `levels` are shares of the most that the groups of a dimension can give: from
    which on a lead fits as A, B and C, and is engaged as 1, 2 and 3."""

    groups: tuple[Group, ...]
    grades: tuple[float, float, float] = (0.75, 0.5, 0.25)
    levels: tuple[float, float, float] = (0.75, 0.5, 0.25)

    @property
    def wanted(self) -> frozenset[str]:
        """Return the fields that the conditions look at."""
        return frozenset(condition.field for condition in self.conditions)

    @property
    def conditions(self) -> list[Condition]:
        return [rule.condition for group in self.groups for rule in group.rules]

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> "Rules":
        """Return rules from their plain values; raises KeyError, TypeError or ValueError where they are none."""
        if data["format"] != FORMAT:
            raise ValueError(data["format"])
        return cls(tuple(_group(group) for group in data["groups"]), _three(data["grades"]), _three(data["levels"]))


def _group(data: Mapping[str, Any]) -> Group:
    rules = tuple(
        Rule(one["key"], one["label"], float(one["points"]), _condition(one["condition"])) for one in data["rules"]
    )
    dimension = Dimension(data["dimension"])
    return Group(data["key"], data["label"], dimension, float(data["cap"]), rules, float(data["floor"]))


def _condition(data: Mapping[str, Any]) -> Condition:
    facts = {**data, "check": Check(data["check"]), "values": tuple(data["values"])}
    return Condition(**facts)


def _three(values: Sequence[Any]) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third
