"""Which settings are played twice: with the vectors in the clear, and sealed.

Source: ADR 0012; clients and examples of clove.txt, Table 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from secure_clove.data.sources import DIGITS
from secure_clove.errors import ConfigError
from secure_clove.privacy.calibration import multiplier_for
from secure_clove.studies.paper.settings import NEVER, supervised
from secure_clove.studies.play.cell import Option, Setting

NOISE = 15.0
"""Noise multiplier of an embedding: one release at delta 1e-5 has epsilon 0.22."""

DIGITS_NOISE = 4.0
"""The same for the digits, whose clients have a tenth of the examples."""

KINDS = ("label-skew-1", "label-skew-2", "concept-shift", "feature-skew")
IMAGES = ("mnist", "fashion-mnist")
UNKNOWN = "label-skew-1, K unknown"
MOST_CLUSTERS = 10
"""The largest number of clusters considered where it is unknown; there are 5."""

CLIENTS = "label-skew-1, 500 clients"
CLIENT_EPSILON, CLIENT_DELTA, CLIENT_ROUNDS = 4.0, 1e-5, 3
"""What the clustering may cost a whole client, in as many clusterings."""

CLIENT_FEATURES = 45
"""Frequencies of their sketch: what it is noised by grows with them as what it tells (ADR 0012)."""

CLEAR = "clove"
"""The one of a pair whose coordinator sees every vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One setting, played in several ways that differ in what the coordinator sees.

    Attributes:
        dataset: Its name.
        kind: Of the partition, and whether the number of clusters is known.
        ways: Settings by name; `CLEAR` is the one the others are held against.
    """

    dataset: str
    kind: str
    ways: Mapping[str, Setting]


def pairs() -> tuple[Pair, ...]:
    """Return every pair, digits first."""
    known = [_known(dataset, kind) for dataset in IMAGES for kind in KINDS]
    return (_digits(), *known, _unknown(), _clients())


def chosen(datasets: Sequence[str], kinds: Sequence[str]) -> tuple[Pair, ...]:
    """Return the pairs that are named; every one where nothing is.

    Raises:
        ConfigError: there is none of these names.
    """
    found = tuple(
        pair
        for pair in pairs()
        if (not datasets or pair.dataset in datasets) and (not kinds or pair.kind in kinds)
    )
    if not found:
        known = ", ".join(f"{pair.dataset} {pair.kind}" for pair in pairs())
        raise ConfigError(f"the study has no such pair; it has {known}")
    return found


def _known(dataset: str, kind: str) -> Pair:
    base = supervised(dataset, kind, CLEAR)
    sealed = _way(base, "sealed-clove", "", NOISE)
    return Pair(
        dataset=dataset, kind=kind, ways={CLEAR: _way(base, CLEAR, "", NOISE), "sealed": sealed}
    )


def _unknown() -> Pair:
    base = replace(supervised("mnist", "label-skew-1", CLEAR), models=MOST_CLUSTERS)
    ways = {
        CLEAR: _way(base, CLEAR, "unknown-k", NOISE, selection="silhouette"),
        "sealed, by residual": _way(
            base, "sealed-clove", "unknown-k-residual", NOISE, selection="residual"
        ),
        "sealed, by silhouette": _way(
            base, "sealed-clove", "unknown-k-silhouette", NOISE, selection="silhouette"
        ),
    }
    return Pair(dataset="mnist", kind=UNKNOWN, ways=ways)


def _digits() -> Pair:
    base = Setting(
        dataset=DIGITS,
        kind="label-skew-1",
        algorithm=CLEAR,
        model="linear",
        clients=25,
        clusters=5,
        examples=48,
        test_examples=12,
        training="gradient",
    )
    ways = {
        CLEAR: _way(base, CLEAR, "", DIGITS_NOISE),
        "sealed": _way(base, "sealed-clove", "", DIGITS_NOISE),
    }
    return Pair(dataset=DIGITS, kind="label-skew-1", ways=ways)


def _clients() -> Pair:
    """Return 500 clients of 100 examples whose clustering protects each of them as a whole."""
    base = replace(
        supervised("mnist", "label-skew-1", CLEAR), clients=500, examples=100, test_examples=10
    )
    sealed = _way(
        base,
        "sealed-clove",
        f"client-epsilon-{CLIENT_EPSILON:g}",
        1.0,
        membership="hidden",
        features=CLIENT_FEATURES,
        client_noise=multiplier_for(CLIENT_EPSILON, CLIENT_DELTA, CLIENT_ROUNDS),
    )
    return Pair(dataset="mnist", kind=CLIENTS, ways={"sealed": sealed})


def _way(base: Setting, algorithm: str, label: str, noise: float, **options: Option) -> Setting:
    """Return ``base`` clustered in every round, so that rounds can be compared one by one."""
    always = {"clustering_rounds": NEVER, "stable_rounds": NEVER}
    return replace(
        base,
        algorithm=algorithm,
        options={**always, **options},
        noise=noise,
        label="-".join(filter(None, (label, f"noise-{noise:g}"))),
    )
