"""A file of leads as public lead-scoring sets are: dozens of columns, most of them unanswered, and a planted answer.

python -m tests.lead_scoring FILE [--rows 5000]
"""

import argparse
import csv
import math
import random
from pathlib import Path

SELECT = "Select"
# (column, share answered, {answer: (frequency, effect in log-odds)})
PLANTED: dict[str, tuple[float, dict[str, tuple[float, float]]]] = {
    "Lead Origin": (1.0, {"Landing Page": (5, -0.3), "API": (4, -0.2), "Add Form": (1, 2.2), "Import": (0.1, 0.0)}),
    "Lead Source": (0.97, {"Google": (4, 0.1), "Direct": (3, -0.4), "Chat": (2, 0.2), "Referral Sites": (1, 1.0)}),
    "Occupation": (0.7, {"Unemployed": (7, 0.0), "Working Professional": (1, 2.0), "Student": (1, -0.3)}),
    "Last Notable": (1.0, {"SMS Sent": (3, 1.2), "Email Opened": (3, 0.1), "Modified": (4, -0.9)}),
    "Specialization": (0.6, {f"Field {number}": (1, (number % 5 - 2) * 0.1) for number in range(18)}),
    "City": (0.6, {"Mumbai": (3, 0.0), "Thane": (1, 0.0), "Other Cities": (1, 0.0)}),
}
NOISE = 12
NEAR_CONSTANT = ("Magazine", "Newspaper", "Do Not Call", "Digital Advertisement", "Newsletter")
CONSTANT = ("Get Updates", "Pay by Cheque")
# Written once people knew more.
HINDSIGHT = "Verdict"
OUTCOME = "Converted"


def header() -> list[str]:
    """Return the columns of the file."""
    noise = [f"Noise {number}" for number in range(NOISE)]
    return [
        "Prospect ID",
        *PLANTED,
        "Total Visits",
        "Time Spent",
        *noise,
        *NEAR_CONSTANT,
        *CONSTANT,
        "Remarks",
        HINDSIGHT,
        OUTCOME,
    ]


def rows(count: int, *, seed: int = 1) -> list[list[str]]:
    """Return leads whose odds to be won follow from what is planted."""
    dice = random.Random(seed)
    return [_row(number, dice) for number in range(count)]


def _row(number: int, dice: random.Random) -> list[str]:
    odds, cells = -1.2, [f"P{number:06}"]
    for answered, answers in PLANTED.values():
        said = dice.choices([*answers], [frequency for frequency, _ in answers.values()])[0]
        known = dice.random() < answered
        odds += answers[said][1] if known else -0.5
        cells.append(said if known else dice.choice((SELECT, "", SELECT)))
    visits, seconds = dice.randrange(0, 12), round(dice.expovariate(1 / 400))
    odds += min(seconds, 2_000) / 700 - 0.5
    cells += [str(visits) if dice.random() < 0.98 else "", str(seconds)]
    cells += [f"Level {dice.randrange(2 + at * 3)}" if dice.random() < 0.8 else SELECT for at in range(NOISE)]
    cells += ["Yes" if dice.random() < 0.0005 else "No" for _ in NEAR_CONSTANT]
    cells += ["No" for _ in CONSTANT]
    cells.append(f"remark {dice.randrange(10**6)}" if dice.random() < 0.5 else "")
    won = dice.random() < 1 / (1 + math.exp(-odds))
    cells.append(SELECT if dice.random() < 0.1 else "High" if won == (dice.random() < 0.9) else "Worst")
    return [*cells, "Yes" if won else "No"]


def write(path: Path, count: int, *, seed: int = 1) -> None:
    """Write a file of leads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header(), *rows(count, seed=seed)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=5000)
    asked = parser.parse_args()
    write(asked.file, asked.rows)
