"""Ten thousand random patterns of dropouts, and not one wrong sum."""

import pytest

from tests.conformance.dropouts import SIZES, random_dropouts


@pytest.mark.slow
def test_ten_thousand_random_dropouts_give_no_wrong_sum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = random_dropouts(10_000)
    with capsys.disabled():
        print(f"\n{tally}")  # noqa: T201  the line that make slow shows

    assert tally.wrong == 0
    assert tally.patterns >= 10_000
    assert tally.sizes == set(SIZES)
