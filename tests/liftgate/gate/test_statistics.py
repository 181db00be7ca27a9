from __future__ import annotations

import numpy as np
import pytest

from liftgate.gate.statistics import cluster_bounds, decided_margin, families_needed, questions_needed

TRIALS = 1500
CORRELATION = 0.3


def draw(rng: np.random.Generator, families: int, size: int, loss: float, win: float) -> np.ndarray:
    """Differences of -1, 0 and 1; with probability sqrt(correlation) a question follows its family."""

    def scores(*shape: int) -> np.ndarray:
        u = rng.random(shape)
        return np.where(u < loss, -1.0, np.where(u < loss + win, 1.0, 0.0))

    follows = rng.random((families, size)) < np.sqrt(CORRELATION)
    return np.where(follows, scores(families, 1), scores(families, size)).ravel()


def names(families: int, size: int) -> list[str]:
    return [f"f{number}" for number in range(families) for _ in range(size)]


@pytest.mark.parametrize("margin", [0.05, 0.10])
@pytest.mark.parametrize(("families", "size"), [(20, 1), (40, 1), (60, 1), (20, 2), (60, 2), (30, 4)])
@pytest.mark.parametrize("wins", [0.0, 0.05])
def test_candidate_worse_by_the_margin_is_rarely_promoted(families: int, size: int, margin: float, wins: float) -> None:
    rng = np.random.default_rng([families, size, round(100 * margin), round(100 * wins)])
    named = names(families, size)
    promoted = sum(
        cluster_bounds(draw(rng, families, size, margin + wins, wins), named).lower > -margin for _ in range(TRIALS)
    )
    assert promoted / TRIALS <= 0.07


@pytest.mark.parametrize("margin", [0.10, 0.20])
def test_families_of_uneven_size_do_not_promote_falsely(margin: float) -> None:
    """Sizes from 1 to 15 over 60 families, all questions of a family alike: the hardest case."""
    rng = np.random.default_rng(round(100 * margin))
    sizes = [1] * 30 + [2] * 15 + [5] * 10 + [15] * 5
    named = [f"f{number}" for number, size in enumerate(sizes) for _ in range(size)]
    promoted = 0
    for _ in range(TRIALS):
        lost = -(rng.random(len(sizes)) < margin).astype(float)
        promoted += cluster_bounds(np.repeat(lost, sizes), named).lower > -margin
    assert promoted / TRIALS <= 0.07


def test_candidate_without_a_gain_rarely_passes_the_kpi() -> None:
    rng = np.random.default_rng(7)
    named = names(40, 2)
    passed = sum(cluster_bounds(draw(rng, 40, 2, 0.1, 0.1), named).lower > 0 for _ in range(TRIALS))
    assert passed / TRIALS <= 0.07


def test_mean_that_stands_on_a_floor_rarely_passes_it() -> None:
    rng = np.random.default_rng(8)
    named = names(60, 2)
    passed = sum(cluster_bounds(1 + draw(rng, 60, 2, 0.3, 0.0), named, worst=0.0).lower >= 0.7 for _ in range(TRIALS))
    assert passed / TRIALS <= 0.07


def test_equal_candidate_passes_the_margin_that_was_said_to_be_decided() -> None:
    rng = np.random.default_rng(9)
    bounds = [cluster_bounds(draw(rng, 72, 2, 0.05, 0.05), names(72, 2)) for _ in range(TRIALS)]
    said = float(np.median([decided_margin(item) for item in bounds]))
    assert np.mean([item.lower > -said for item in bounds]) == pytest.approx(0.80, abs=0.06)


def test_number_of_questions_that_is_named_decides_in_most_trials() -> None:
    """A true loss of 3 points, margin 10: first on 60 questions, then on as many as were named."""
    rng = np.random.default_rng(10)
    few = cluster_bounds(draw(rng, 30, 2, 0.13, 0.10), names(30, 2))
    needed = questions_needed(few, distance=0.07)
    assert needed is not None
    families = needed // 2
    passed = [cluster_bounds(draw(rng, families, 2, 0.13, 0.10), names(families, 2)).lower > -0.10 for _ in range(300)]
    assert np.mean(passed) >= 0.65


def test_bounds_have_a_width_where_no_pair_differs() -> None:
    bounds = cluster_bounds([0.0] * 60, [str(number) for number in range(60)])
    assert bounds.estimate == 0
    assert bounds.lower == pytest.approx(-0.0438, abs=1e-4)
    assert bounds.upper == pytest.approx(0.0438, abs=1e-4)


def test_ten_versions_of_one_document_count_as_one_family() -> None:
    rng = np.random.default_rng(3)
    losses = (rng.random(40) < 0.1).astype(float) * -1
    alone = cluster_bounds(losses, [str(number) for number in range(40)])
    repeated = cluster_bounds(np.repeat(losses, 10), [str(number) for number in range(40) for _ in range(10)])
    assert repeated.lower == pytest.approx(alone.lower)
    assert repeated.families == 40


@pytest.mark.parametrize(("families", "shown"), [(5, False), (6, True)])
def test_gain_in_every_question_takes_six_families_to_show(families: int, shown: bool) -> None:
    bounds = cluster_bounds([1.0] * families, [str(number) for number in range(families)])
    assert (bounds.lower > 0) is shown


def test_one_family_shows_nothing() -> None:
    bounds = cluster_bounds([1.0] * 50, ["only"] * 50)
    assert (bounds.lower, bounds.upper) == (-1.0, 1.0)
    assert decided_margin(bounds) == 1.0


@pytest.mark.parametrize(("margin", "families"), [(0.05, 59), (0.10, 29), (0.20, 14)])
def test_families_that_a_margin_needs(margin: float, families: int) -> None:
    assert families_needed(margin) == families


def test_no_number_of_questions_helps_an_estimate_on_the_line() -> None:
    bounds = cluster_bounds([-1.0, 1.0] * 20, [str(number) for number in range(40)])
    assert questions_needed(bounds, 0.0) is None


def test_order_of_the_questions_does_not_matter() -> None:
    values, families = [0.0, -1.0, 1.0, 0.5, -0.5, 0.0], ["a", "a", "b", "c", "c", "d"]
    assert cluster_bounds(values, families) == cluster_bounds(values[::-1], families[::-1])
