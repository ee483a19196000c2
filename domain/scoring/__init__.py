"""How promising a lead is, why, and when that must be told anew."""

from domain.scoring.default_rules import (
    GRADES,
    LEADS_AT_ONCE,
    SOURCE_POINTS,
    TASK,
    TYPICAL_VALUE_SETTING,
    Factor,
    LeadFacts,
    LeadScored,
    Score,
    grade_of,
    leads_concerned,
    rescore,
    schedule,
    schedule_faded,
    score,
    typical_value,
)

__all__ = [
    "GRADES",
    "LEADS_AT_ONCE",
    "SOURCE_POINTS",
    "TASK",
    "TYPICAL_VALUE_SETTING",
    "Factor",
    "LeadFacts",
    "LeadScored",
    "Score",
    "grade_of",
    "leads_concerned",
    "rescore",
    "schedule",
    "schedule_faded",
    "score",
    "typical_value",
]
