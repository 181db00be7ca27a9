"""Simulated canaries: readers whose requests are alike, a tenth of them with the canary."""

from __future__ import annotations

import numpy as np
import pytest

from liftgate.config.canary import Canary
from liftgate.gate.canary import CanaryJudgement, Tally, difference_bounds, is_harm, judge

pytestmark = pytest.mark.slow

CORRELATION = 0.3
SETTINGS = Canary()
ALL_GOOD = Tally((1,) * 60, (1,) * 60)


def draw(rng: np.random.Generator, readers: int, mean: float) -> Tally:
    """Readers with one to a dozen requests each, of which some ask about harder things than others."""
    answered = rng.geometric(0.4, readers)
    spread = (1 - CORRELATION) / CORRELATION
    good = rng.binomial(answered, rng.beta(mean * spread, (1 - mean) * spread, readers))
    return Tally(tuple(good.tolist()), tuple(answered.tolist()))


def passed(readers: int, canary: float, live: float, trials: int = 800) -> float:
    """How often a canary passes."""
    rng = np.random.default_rng([readers, round(100 * canary), round(100 * live)])
    judged = [judge(draw(rng, readers, canary), draw(rng, 9 * readers, live), SETTINGS) for _ in range(trials)]
    return sum(one.outcome == "passed" for one in judged) / trials


@pytest.mark.parametrize("readers", [100, 300])
@pytest.mark.parametrize("live", [0.7, 0.9, 0.98])
def test_a_canary_that_is_worse_by_the_margin_rarely_passes(readers: int, live: float) -> None:
    assert passed(readers, live - SETTINGS.margin, live) < 0.05


def test_an_equal_canary_mostly_passes() -> None:
    assert passed(400, 0.9, 0.9, trials=200) > 0.8


def test_a_canary_that_is_worse_by_the_margin_is_not_ended_by_being_looked_at() -> None:
    """Sixty times while its readers come in; a better one even less."""
    rng, trials = np.random.default_rng(3), 150
    ended = 0
    for _ in range(trials):
        canary, live = draw(rng, 300, 0.9 - SETTINGS.margin), draw(rng, 2700, 0.9)
        looks = [(_first(canary, 5 * look), _first(live, 45 * look)) for look in range(1, 61)]
        ended += any(is_harm(*look, SETTINGS.margin) for look in looks)
    assert ended / trials < 0.03


def _first(side: Tally, readers: int) -> Tally:
    return Tally(side.good[:readers], side.answered[:readers])


def test_harm_is_found_early() -> None:
    rng = np.random.default_rng(4)
    assert is_harm(draw(rng, 60, 0.5), draw(rng, 540, 0.9), SETTINGS.margin)


def test_a_side_without_outcomes_says_nothing() -> None:
    assert difference_bounds(Tally(), ALL_GOOD, 0.05) == (-1.0, 1.0)
    assert judge(ALL_GOOD, Tally(), SETTINGS).outcome == "inconclusive"


def test_sixty_readers_without_a_bad_answer_show_less_than_five_points() -> None:
    lower, upper = difference_bounds(ALL_GOOD, ALL_GOOD, 0.05)
    assert (round(lower, 3), round(upper, 3)) == (-0.044, 0.044)
    assert judge(ALL_GOOD, ALL_GOOD, Canary(min_outcomes=60)).outcome == "passed"


@pytest.mark.parametrize(
    ("canary", "settings"),
    [(Tally((1,) * 58, (1,) * 58), Canary(min_outcomes=1)), (ALL_GOOD, Canary(min_outcomes=61))],
    ids=["readers", "outcomes"],
)
def test_too_few_readers_or_outcomes_decide_nothing(canary: Tally, settings: Canary) -> None:
    judged = judge(canary, ALL_GOOD, settings)
    assert judged.outcome == "inconclusive"
    assert f"{settings.min_outcomes} of 59 are needed" in judged.sentence


def test_a_reader_who_asks_a_lot_counts_as_one() -> None:
    """The same answers of few readers say less than those of many."""
    few = Tally((80, 100, 100), (100, 100, 100))
    many = Tally((1,) * 280 + (0,) * 20, (1,) * 300)
    assert few.share == many.share
    assert difference_bounds(few, many, 0.05)[0] < difference_bounds(many, many, 0.05)[0]


def test_a_judgement_comes_out_of_the_ledger_as_it_went_in() -> None:
    judged = judge(ALL_GOOD, Tally((40,), (50,)), SETTINGS)
    assert CanaryJudgement.from_json(judged.as_json()) == judged
