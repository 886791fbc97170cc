"""Whoever drops out, whenever: the exact sum or a clean abort, never a wrong sum."""

from tests.conformance.dropouts import random_dropouts


def test_random_dropouts_give_the_exact_sum_or_a_clean_abort() -> None:
    """`tests.slow.test_dropouts` runs ten thousand."""
    tally = random_dropouts(150)
    print(f"\n{tally}")  # noqa: T201  evidence to read

    assert tally.wrong == 0
    assert tally.sums > 40
    assert tally.aborts > 20
