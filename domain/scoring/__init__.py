"""How promising a lead is, why, and when that must be told anew."""

from domain.scoring.default_model import TYPICAL_VALUE_SETTING
from domain.scoring.fading import schedule_faded
from domain.scoring.scheduling import (
    LEADS_AT_ONCE,
    TASK,
    LeadScored,
    leads_concerned,
    schedule,
    schedule_all,
    schedule_concerned,
    schedule_workspace,
)

__all__ = [
    "LEADS_AT_ONCE",
    "TASK",
    "TYPICAL_VALUE_SETTING",
    "LeadScored",
    "leads_concerned",
    "schedule",
    "schedule_all",
    "schedule_concerned",
    "schedule_faded",
    "schedule_workspace",
]
