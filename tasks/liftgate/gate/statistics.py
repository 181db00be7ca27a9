"""One-sided 95 % bounds that hold for few questions, uniform ones, and questions that come in families.

Why not the percentile bootstrap: where no pair differs it gives the interval [0, 0], and on 20 to 40
questions it promotes a candidate that is worse by the whole margin in 8 to 36 % of all trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
"""Chance of a wrong claim by one bound. Not configurable: a verdict must mean the same everywhere."""
POWER = 0.80
MOST_QUESTIONS_NAMED = 100_000


@dataclass(frozen=True)
class Bounds:
    """Mean of questions with its one-sided 95 % bounds.

    error: the cluster-robust standard error. pull: how far the added family moves a mean of 0.
    """

    estimate: float
    lower: float
    upper: float
    error: float
    pull: float
    questions: int
    families: int


def cluster_bounds(
    values: Sequence[float] | np.ndarray, families: Sequence[str], worst: float = -1.0, best: float = 1.0
) -> Bounds:
    """Bounds of the mean over questions, where the questions of one family are not independent.

    With S_f the sum and n_f the number of questions of family f, over F families:
        mean = sum S_f / sum n_f
        error^2 = F/(F-1) * sum (S_f - mean * n_f)^2 / (sum n_f)^2
    which is the ratio estimator over clusters (Cochran, Sampling Techniques, 3rd ed., chapters 6 and 9A; equal
    to the CR1 cluster-robust error of a mean), with t quantiles of F - 1 degrees of freedom.
    The lower bound is taken after adding one family that scored `worst` on every question, the upper one
    after adding one that scored `best`: the idea of "add successes and failures" (Agresti and Coull 1998; for
    paired proportions Agresti and Min 2005), with a whole family as the unit. So a sample in which nothing
    differs still has a width, about 2.7 / F, near the exact 3 / F, and no seed is needed.
    The added family has the size of the family that a question belongs to on average, sum n_f^2 / sum n_f:
    the mean size if all are equal, more if a few are large. With the mean size the simulated level reached
    8.4 % for uneven families, with this one 6 % (at most 7 % in tests/liftgate/gate/test_statistics.py);
    half a family, or none, gave 12 to 15 %.

    Values between worst and best: -1 and 1 for differences of two sides, 0 and 1 for one side alone.
    Example: 60 equal pairs in 60 families -> estimate 0, lower -0.0438, upper 0.0438.
    """
    return bounds_of_sums(*_by_family(values, families), worst, best)


def bounds_of_sums(
    sums: np.ndarray, sizes: np.ndarray, worst: float = -1.0, best: float = 1.0, alpha: float = ALPHA
) -> Bounds:
    """The same from the sum and the number of questions of each family; a smaller alpha gives wider bounds."""
    count = len(sizes)
    estimate = float(sums.sum() / sizes.sum()) if count else math.nan
    if count < 2:
        return Bounds(estimate, worst, best, math.nan, 1.0, int(sizes.sum()), count)
    from scipy.special import stdtrit

    quantile = float(stdtrit(count - 1, 1 - alpha))
    added = float((sizes**2).sum() / sizes.sum())
    low_mean, low_error = _mean_with(sums, sizes, added, worst)
    high_mean, high_error = _mean_with(sums, sizes, added, best)
    return Bounds(
        estimate=estimate,
        lower=max(worst, low_mean - quantile * low_error),
        upper=min(best, high_mean + quantile * high_error),
        error=max(low_error, high_error),
        pull=added / float(sizes.sum() + added),
        questions=int(sizes.sum()),
        families=count,
    )


def families_needed(margin: float) -> int:
    """Families under which a metric is not assessed, even if all pairs were equal.

    n independent families without a loss show less than a margin m only if (1 - m)^n <= 0.05.
    Example: 0.05 -> 59, 0.10 -> 29, 0.20 -> 14.
    """
    return math.ceil(math.log(ALPHA) / math.log(1 - margin))


def decided_margin(bounds: Bounds) -> float:
    """The smallest margin at which an equal candidate passes with a chance of 80 % on these questions.

    The lower bound of a candidate without a true difference lies, in 80 % of all trials, above
    -(pull + (t.95 + t.80) * error): the pull of the added family, and the two quantiles.
    It is also the smallest gain over 0 that these questions would show.
    """
    if bounds.families < 2:
        return 1.0
    from scipy.special import stdtrit

    quantiles = float(stdtrit(bounds.families - 1, 1 - ALPHA) + stdtrit(bounds.families - 1, POWER))
    smallest_ever = 1 - ALPHA ** (1 / bounds.families)
    return min(1.0, max(smallest_ever, bounds.pull + quantiles * bounds.error))


def questions_needed(bounds: Bounds, distance: float) -> int | None:
    """About how many questions, in families of the present size, would decide a distance with 80 %.

    distance: from the estimate to the nearest line where the verdict is decided.
    None if no useful number can be named: the estimate stands on that line.
    Example: error 0.04 with 100 questions and a distance of 0.05 -> (2.49 * 0.04 / 0.05)^2 * 100 = 396.
    """
    if bounds.families < 2 or distance <= 0:
        return None
    wanted = bounds.questions * (2.4865 * bounds.error / distance) ** 2
    if wanted > MOST_QUESTIONS_NAMED:
        return None
    return max(bounds.questions + 1, math.ceil(wanted))


def _by_family(values: Sequence[float] | np.ndarray, families: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    names, index = np.unique(np.asarray(families, dtype=str), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(values, dtype=float), minlength=len(names))
    return sums, np.bincount(index, minlength=len(names)).astype(float)


def _mean_with(sums: np.ndarray, sizes: np.ndarray, size: float, score: float) -> tuple[float, float]:
    """Mean and error after one more family of this size, each of whose questions got this score."""
    all_sums, all_sizes = np.append(sums, size * score), np.append(sizes, size)
    count, total = len(all_sizes), all_sizes.sum()
    mean = all_sums.sum() / total
    squares = ((all_sums - mean * all_sizes) ** 2).sum()
    return float(mean), float(math.sqrt(count / (count - 1) * squares) / total)
