"""What a table or a figure is: its rows, and the runs behind them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from secure_clove.errors import ConfigError
from secure_clove.studies.play.cell import Cell, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table, or one curve or map of a figure.

    Attributes:
        name: What tells it from others of its data set and algorithm, such as a data mixing.
        setting: What it is measured on.
    """

    name: str
    setting: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table or a figure.

    Attributes:
        name: ``table 1``, ``figure 2``, or what is ours alone, such as ``unknown-k``.
        title: What it shows.
        measures: Columns of a table, by fields of a result; ``curve`` or ``heat`` for a figure.
        rows: Its lines.
    """

    name: str
    title: str
    measures: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def table(self) -> int:
        """Number of the printed table that its figures stand beside; 0 if there is none."""
        kind, _, number = self.name.partition(" ")
        return int(number) if kind == "table" else 0


def narrowed(
    sheet: Sheet,
    *,
    datasets: Sequence[str] = (),
    rows: Sequence[str] = (),
    algorithms: Sequence[str] = (),
    examples: int | None = None,
) -> Sheet:
    """Return the rows of a sheet that are named; every row where nothing is.

    Args:
        sheet: What is narrowed.
        datasets: Data sets to keep.
        rows: Names of rows to keep.
        algorithms: Algorithms to keep.
        examples: Training examples of a client instead of the paper's, for data at hand that are
            too few; the settings carry it in their names.

    Raises:
        ConfigError: a name that the sheet does not have.
    """
    found = sheet.rows
    asked: tuple[tuple[Sequence[str], Callable[[Row], str], str], ...] = (
        (datasets, lambda row: row.setting.dataset, "data set"),
        (rows, lambda row: row.name, "row"),
        (algorithms, lambda row: row.setting.algorithm, "algorithm"),
    )
    for names, read, what in asked:
        known = list(dict.fromkeys(read(row) for row in sheet.rows))
        for name in names:
            if name not in known:
                raise ConfigError(f"{sheet.name} has no {what} '{name}'; it has {', '.join(known)}")
        found = tuple(row for row in found if not names or read(row) in names)
    if not found:
        raise ConfigError(f"{sheet.name} has no such row; drop one of the names")
    if examples is not None:
        found = tuple(replace(row, setting=_of(row.setting, examples)) for row in found)
    return replace(sheet, rows=found)


def _of(setting: Setting, examples: int) -> Setting:
    label = "-".join(filter(None, (setting.label, f"examples-{examples}")))
    held_out = None if setting.test_examples is None else max(1, examples // 4)
    return replace(setting, examples=examples, test_examples=held_out, label=label)


def cells(sheet: Sheet, *, rounds: int, seeds: Iterable[int], preset: str) -> tuple[Cell, ...]:
    """Return the runs behind a sheet; settings that several rows share are run once."""
    settings = {row.setting.name: row.setting for row in sheet.rows}
    return tuple(
        Cell(setting=setting, seed=seed, rounds=rounds, preset=preset)
        for seed in seeds
        for setting in settings.values()
    )
