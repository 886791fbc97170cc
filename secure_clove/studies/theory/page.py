"""The theory's study as tables and sentences, for a terminal and for a page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from secure_clove.errors import ConfigError
from secure_clove.studies.theory.measures import MODELS, WAYS
from secure_clove.studies.theory.results import Convergence, OneShot, TheoryResult

Row = tuple[str, ...]
T = TypeVar("T")

NAMES: Mapping[str, str] = {
    "orthonormal": "ortho-normal",
    "random": "random",
    "proximal": "Δ-proximal",
    "step": "one gradient step",
    "epochs": "25 epochs of SGD",
}
"""How collections of models and ways to train are called where they are shown."""

KINDS = (True, False)
"""Square roots of losses, then losses."""

K_FED = "k-FED, the comparison of Figure 3(b), was not run: the library does not have it."


@dataclass(frozen=True, slots=True, kw_only=True)
class TheoryTable:
    """One table.

    Attributes:
        title: What it shows.
        heads: Its columns.
        rows: Its cells as text.
    """

    title: str
    heads: Row
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        """Refuse rows that do not fit the columns."""
        if any(len(row) != len(self.heads) for row in self.rows):
            raise ConfigError(f"every row of '{self.title}' needs {len(self.heads)} cells")


def theory_rows(result: TheoryResult) -> tuple[TheoryTable, ...]:
    """Return the tables: separation, one-shot recovery and convergence."""
    return _separations(result), _one_shots(result), _convergences(result)


def findings(result: TheoryResult) -> tuple[str, ...]:
    """Return what the numbers say, a sentence each."""
    return (*_lemmas(result), *_limits(result), *_speeds(result), K_FED)


def theory_page(result: TheoryResult) -> str:
    """Return the tables and sentences as Markdown."""
    tables = [f"### {table.title}\n\n{_markdown(table)}" for table in theory_rows(result)]
    said = "\n".join(f"* {sentence}" for sentence in findings(result))
    return "\n\n".join([f"Over {result.seeds} seeds:", said, *tables])


def _separations(result: TheoryResult) -> TheoryTable:
    by_place = {(line.models, line.separation): line for line in result.separations}
    rows = [
        (
            f"{separation:g}",
            *(
                f"{line.middle:.2f}, at least {line.least:.2f}"
                for line in (by_place[name, separation] for name in MODELS)
            ),
        )
        for separation in _unique(line.separation for line in result.separations)
    ]
    return TheoryTable(
        title="Least distance of the clusters' mean vectors over that of their optima",
        heads=("Δ", *(NAMES[name] for name in MODELS)),
        rows=tuple(rows),
    )


def _one_shots(result: TheoryResult) -> TheoryTable:
    by_place = {(o.separation, o.examples, o.square_root): o for o in result.one_shots}
    counts = _unique(line.examples for line in result.one_shots)
    rows = [
        (
            f"{separation:g}",
            *(
                " / ".join(f"{100 * by_place[separation, n, kind].share:.0f}" for kind in KINDS)
                for n in counts
            ),
        )
        for separation in _unique(line.separation for line in result.one_shots)
    ]
    return TheoryTable(
        title="Seeds in which one k-means found every client's cluster, in %: √loss / loss",
        heads=("Δ", *(f"n = {n}" for n in counts)),
        rows=tuple(rows),
    )


def _convergences(result: TheoryResult) -> TheoryTable:
    return TheoryTable(
        title="Distance of the models to their optima under CLoVE",
        heads=(
            "a round",
            "Δ",
            "c₁, median and least",
            "within Δ/4 after round 1",
            "all clusters right from round",
            "all right at the end",
            "last distance",
        ),
        rows=tuple(_course(line) for line in result.convergences),
    )


def _course(line: Convergence) -> Row:
    fitted = line.factor is not None and line.least_factor is not None
    return (
        NAMES[line.way],
        f"{line.separation:g}",
        f"{line.factor:.1f}, {line.least_factor:.1f}" if fitted else "not fitted",
        f"{100 * line.proximal:.0f} %",
        "never" if line.first_round is None else f"{line.first_round:g}",
        f"{100 * line.recovered:.0f} %",
        f"{line.distance[-1]:.1e}",
    )


def _lemmas(result: TheoryResult) -> Iterable[str]:
    for name in MODELS:
        lines = [line for line in result.separations if line.models == name]
        least = min(lines, key=lambda line: line.least)
        broken = [line for line in lines if line.held < 1]
        verdict = (
            f"it is below the 1/2 of the lemmas in up to "
            f"{100 * (1 - min(line.held for line in broken)):.1f} % of {least.draws} draws"
            if broken
            else f"the bound 1/2 of the lemmas holds in all {least.draws} draws"
        )
        yield (
            f"Separation, {NAMES[name]} models: the smallest ratio is {least.least:.2f} "
            f"(at Δ = {least.separation:g}); {verdict}."
        )


def _limits(result: TheoryResult) -> Iterable[str]:
    for count in _unique(line.examples for line in result.one_shots):
        words = [
            f"{name} {_limit([o for o in result.one_shots if o.examples == count], kind)}"
            for kind, name in zip(KINDS, ("square roots of losses", "losses"), strict=True)
        ]
        yield f"One shot, n = {count}: {'; '.join(words)}."


def _limit(lines: Sequence[OneShot], kind: bool) -> str:
    """Return down to which separation, from the largest on, every seed is recovered."""
    found = None
    for line in sorted(lines, key=lambda line: -line.separation):
        if line.square_root is kind:
            if line.share < 1:
                break
            found = line.separation
    return "recover no Δ in every seed" if found is None else f"down to Δ = {found:g}"


def _speeds(result: TheoryResult) -> Iterable[str]:
    for way in WAYS:
        lines = [line for line in result.convergences if line.way == way]
        factors = [line.factor for line in lines if line.factor is not None]
        speed = f"c₁ from {min(factors):.1f} to {max(factors):.1f}" if factors else "no c₁ fitted"
        missed = [f"{line.separation:g}" for line in lines if line.recovered < 1]
        end = (
            f"not every seed ends with the right clusters at Δ = {', '.join(missed)}"
            if missed
            else "every seed ends with the right clusters"
        )
        yield f"Convergence, {NAMES[way]}: {speed}; {end}."


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _markdown(table: TheoryTable) -> str:
    lines = [table.heads, ("---",) * len(table.heads), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
