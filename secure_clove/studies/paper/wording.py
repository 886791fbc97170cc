"""How runs are told: which settings belong together, how they were run, and means over seeds."""

from collections.abc import Sequence
from statistics import fmean, pstdev

from secure_clove.studies.play.cell import Setting
from secure_clove.studies.play.result import Result


def origin(setting: Setting) -> str:
    """Return a setting's name without a changed count of examples."""
    return setting.name.partition("-examples-")[0]


def way(run: Sequence[Result]) -> str:
    """Return how runs that differ by their seeds only were run: rounds, seeds, data and preset."""
    cell = run[0].cell
    size = f"{cell.setting.clients} x {cell.setting.examples or 'all'}"
    rounds, seeds = counted(cell.rounds, "round"), counted(len(run), "seed")
    return f"{rounds}, {seeds}, {size} examples, {cell.preset}"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 round``, ``2 rounds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def spread(values: Sequence[float], form: str) -> str:
    """Return a mean and, of more than one value, the deviation of the population.

    Args:
        values: At least one, one a seed.
        form: How a number is printed, such as ``.2f``.
    """
    mean = format(fmean(values), form)
    return f"{mean} ± {pstdev(values):{form}}" if len(values) > 1 else mean
