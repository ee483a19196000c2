"""A workspace filled with believable data: the same for the same seed, whenever it is made."""

from domain.demo.filling import Filled, Plan, fill

__all__ = ["Filled", "Plan", "fill"]
