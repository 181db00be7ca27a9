"""How the gate decides on simulated questions: false promotions, and the chance to decide rightly.

Prints one table. For each size and share of pairs that differ: how often a candidate that is worse by the
whole margin is promoted (should be 5 % or less), by the percentile bootstrap and by Liftgate's bound; how
often an equal one is promoted, and one that is worse by 10 and by 20 points is rejected; and the margin that
the verdict says these questions decide at 80 %. Questions of one family are correlated by 0.3.

Run: python benchmarks/gate_power.py [trials]
"""

from __future__ import annotations

import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from liftgate.gate.statistics import Bounds, cluster_bounds, decided_margin, families_needed

CORRELATION = 0.3
RESAMPLES = 400
SIZES = ((20, 20), (40, 40), (120, 60), (170, 75), (240, 80))
MARGINS = (0.05, 0.10)
DISCORDANCE = (0.0, 0.05, 0.10, 0.20)
COLUMNS = (
    "questions / families",
    "margin",
    "pairs that differ",
    "worse by margin: bootstrap",
    "worse by margin: Liftgate",
    "equal: promoted",
    "10 points worse: rejected",
    "20 points worse: rejected",
    "margin said to be decided",
)


def main(trials: int = 400) -> None:
    """Print the table. 400 trials take half a minute on one core; a figure is then good to 1 to 3 points."""
    table = Table(*COLUMNS, title=f"{trials} trials each, family correlation {CORRELATION}")
    for questions, families in SIZES:
        for margin in MARGINS:
            for discordance in DISCORDANCE:
                table.add_row(*row(questions, families, margin, discordance, trials))
    Console(width=150).print(table)


def row(questions: int, families: int, margin: float, discordance: float, trials: int) -> list[str]:
    """One setting. Under the smallest number of families the gate assesses nothing and promotes nobody."""
    rng = np.random.default_rng([questions, families, round(1000 * margin), round(1000 * discordance)])
    family = np.arange(questions) % families
    assessed = families >= families_needed(margin)

    def trial(loss: float) -> tuple[list[Bounds], np.ndarray]:
        drawn = [differences(rng, family, loss, discordance) for _ in range(trials)]
        return [cluster_bounds(list(d), [str(f) for f in family]) for d in drawn], np.array(drawn)

    worse, sample = trial(margin)
    equal = trial(0.0)[0]
    rejected = [share([b.upper < 0 and b.lower <= -margin for b in trial(loss)[0]]) for loss in (0.1, 0.2)]
    return [
        f"{questions} / {families}",
        f"{margin:.2f}",
        f"{discordance:.2f}",
        share([low > -margin for low in bootstrap_lower(rng, sample, family)]),
        share([b.lower > -margin for b in worse]) if assessed else "not assessed",
        share([b.lower > -margin for b in equal]) if assessed else "not assessed",
        *(rejected if assessed else ["not assessed"] * 2),
        f"{np.median([decided_margin(b) for b in equal]):.3f}",
    ]


def differences(rng: np.random.Generator, family: np.ndarray, loss: float, discordance: float) -> np.ndarray:
    """-1, 0 or 1 for each question, -loss on average; half of the discordance on top of it wins."""
    win = discordance / 2
    lose = win + loss

    def scores(count: int) -> np.ndarray:
        u = rng.random(count)
        return np.where(u < lose, -1.0, np.where(u < lose + win, 1.0, 0.0))

    follows = rng.random(len(family)) < np.sqrt(CORRELATION)
    return np.where(follows, scores(family.max() + 1)[family], scores(len(family)))


def bootstrap_lower(rng: np.random.Generator, sample: np.ndarray, family: np.ndarray) -> np.ndarray:
    """The 5 % quantile of means over resampled families, for each trial: what most tools would use."""
    count = family.max() + 1
    sizes = np.bincount(family)
    sums = np.stack([np.bincount(family, weights=drawn) for drawn in sample])
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    means = (sums @ weights.T) / (weights @ sizes)
    return np.quantile(means, 0.05, axis=1)


def share(outcomes: list[bool]) -> str:
    """Share of trials in which it happened, in percent."""
    return f"{np.mean(outcomes):.1%}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
