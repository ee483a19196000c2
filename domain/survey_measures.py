"""What the answers to a survey come to: Net Promoter Score with its interval, satisfaction, means, response rate."""

from dataclasses import dataclass, field
from math import sqrt

# The quantile of the normal distribution that leaves 2.5 % on each side.
Z_95 = 1.959964
PROMOTER_LEAST, DETRACTOR_MOST, SATISFIED_LEAST = 9, 6, 4


@dataclass(slots=True)
class Measures:
    """How often each score was given, how many were asked, and how many of those have answered or begun to."""

    scores: dict[int, int] = field(default_factory=dict)
    responses: int = 0
    sent: int = 0
    answered: int = 0

    @property
    def scored(self) -> int:
        return sum(self.scores.values())

    @property
    def response_rate(self) -> float | None:
        """Return answered / sent, 0 to 1, of those asked in the time; None where nobody was."""
        return self.answered / self.sent if self.sent else None

    @property
    def mean(self) -> float | None:
        count = self.scored
        return sum(score * number for score, number in self.scores.items()) / count if count else None

    @property
    def satisfied(self) -> float | None:
        """Return the share of the scores 4 and 5 of 5 ("top two boxes"), 0 to 1."""
        count = self.scored
        return self._from(SATISFIED_LEAST) / count if count else None

    @property
    def promoters(self) -> int:
        return self._from(PROMOTER_LEAST)

    @property
    def detractors(self) -> int:
        return sum(number for score, number in self.scores.items() if score <= DETRACTOR_MOST)

    @property
    def nps(self) -> float | None:
        """Return the share of promoters (9, 10) less that of detractors (0 to 6), times 100: -100 to 100."""
        count = self.scored
        return 100 * (self.promoters - self.detractors) / count if count else None

    @property
    def nps_margin(self) -> float | None:
        """Return half the width of the Net Promoter Score's 95 % confidence interval; None for fewer than two.

        Wald's interval with the variance of the trinomial: an answer counts 1, 0 or -1, so that with the shares p of
        promoters and d of detractors its variance is p + d - (p - d)^2, and the margin is 1.96 * sqrt(variance / n)
        (Rocks 2016, "Interval Estimation for the Net Promoter Score", The American Statistician 70:4). It is too
        narrow for few answers, and says nothing of those who did not answer.
        """
        count = self.scored
        if count < 2:
            return None
        p, d = self.promoters / count, self.detractors / count
        return 100 * Z_95 * sqrt(max(p + d - (p - d) ** 2, 0.0) / count)

    def _from(self, least: int) -> int:
        return sum(number for score, number in self.scores.items() if score >= least)
