"""What the clustering saw, on a plane: the clients' noised vectors, or centroids and sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.observe.wording import printable
from secure_clove.studies.svg import INK, MUTED, SERIES, SURFACE, Drawing

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")
MOST_NAMED = 7  # beyond this colours and shapes are named by tooltips only
LARGEST, SMALLEST = 15.0, 3.0  # radii of circles, in points; the area is the cluster's size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingMap:
    """What the server clustered in one round.

    Attributes:
        vectors: The noised client vectors, shape (n, d).
        clients: Their n client ids.
        assigned: The model index each got, by position.
        truth: The true cluster of each, by position; None where unknown.
    """

    vectors: NDArray[np.float64]
    clients: tuple[str, ...]
    assigned: tuple[int, ...]
    truth: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse parts of different lengths and numbers that cannot be drawn."""
        if self.vectors.ndim != 2 or not np.isfinite(self.vectors).all() or not self.clients:
            raise ConfigError("vectors must be finite, of shape (n, d) with n at least 1")
        lengths = {len(self.vectors), len(self.clients), len(self.assigned)}
        lengths.add(len(self.clients) if self.truth is None else len(self.truth))
        if len(lengths) != 1:
            raise ConfigError("vectors, clients, assigned and truth must have one entry a client")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CentroidMap:
    """What the server recovered from the sums of one sealed clustering.

    Attributes:
        centroids: Of the clusters, shape (k, d).
        sizes: Count of clients of each, by position.
        models: The model index each got, by position.
    """

    centroids: NDArray[np.float64]
    sizes: tuple[int, ...]
    models: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse parts of different lengths and numbers that cannot be drawn."""
        if self.centroids.ndim != 2 or not np.isfinite(self.centroids).all() or not self.sizes:
            raise ConfigError("centroids must be finite, of shape (k, d) with k at least 1")
        if len({len(self.centroids), len(self.sizes), len(self.models)}) != 1:
            raise ConfigError("centroids, sizes and models must have one entry a cluster")
        if min(self.sizes) < 0:
            raise ConfigError("the size of a cluster is a count of clients, at least 0")


def embedding_map(points: EmbeddingMap) -> str:
    """Return the clustered vectors in the plane of their two largest spreads.

    Source:
        Principal components by singular value decomposition of the centred vectors.
    """
    flat, shares = _plane(points.vectors)
    about = (
        f"{len(points.clients)} clients in {len(set(points.assigned))} clusters; the plane shows "
        f"{100 * sum(shares):.0f} % of the spread."
    )
    with Drawing(
        "map", title="What the clustering saw, in two dimensions", about=about, height=3.6
    ) as sheet:
        axes = _plain_axes(sheet, shares, margin=0.1)
        models, kinds = sorted(set(points.assigned)), sorted(set(points.truth or ()))
        for place, client in enumerate(points.clients):
            model, kind = points.assigned[place], points.truth[place] if points.truth else None
            marker = "o" if kind is None else MARKERS[kinds.index(kind) % len(MARKERS)]
            (dot,) = axes.plot(*flat[place], marker, color=SERIES[model % len(SERIES)], ms=7)
            dot.set(markeredgecolor=SURFACE, markeredgewidth=0.8, clip_on=False)
            told = "" if kind is None else f", truly of cluster {kind}"
            sheet.tip(dot, f"{client}: model {model}{told}")
        _legend(axes, models, kinds)
        _label_points(sheet, axes, flat, points.clients, radii=[3.0] * len(flat))
        return sheet.render()


def centroid_map(clusters: CentroidMap) -> str:
    """Return the centroids, each a circle of the area of its size, in their main plane.

    Source:
        Principal components by singular value decomposition of the centred centroids.
    """
    flat, shares = _plane(clusters.centroids)
    about = (
        f"{sum(clusters.sizes)} clients in {len(clusters.sizes)} clusters, known by centroid and "
        f"size; the plane shows {100 * sum(shares):.0f} % of the spread."
    )
    with Drawing(
        "map", title="What the clustering saw, in two dimensions", about=about, height=3.6
    ) as sheet:
        axes = _plain_axes(sheet, shares, margin=0.25)
        areas = np.array(clusters.sizes) / max(1, *clusters.sizes)
        radii = np.maximum(SMALLEST, LARGEST * np.sqrt(areas))
        told = [f"{size} client{'s' * (size != 1)}" for size in clusters.sizes]
        for place in np.argsort(-radii, kind="stable"):
            model = clusters.models[place]
            (dot,) = axes.plot(
                *flat[place], "o", color=SERIES[model % len(SERIES)], ms=2 * radii[place]
            )
            dot.set(markeredgecolor=SURFACE, markeredgewidth=0.8, clip_on=False)
            sheet.tip(dot, f"model {model}: {told[place]}")
        _legend(axes, sorted(set(clusters.models)), [])
        _label_points(sheet, axes, flat, told, radii=[*radii])
        return sheet.render()


def _plain_axes(sheet: Drawing, shares: tuple[float, float], *, margin: float) -> Axes:
    """Return axes without numbers: what a direction means follows from the models alone."""
    (axes,) = sheet.axes()
    axes.grid(False)
    axes.margins(margin)
    axes.set_xlabel(f"first direction ({100 * shares[0]:.0f} % of the spread)")
    axes.set_ylabel(f"second ({100 * shares[1]:.0f} %)")
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def _plane(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    centred = vectors - vectors.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.where(right[np.arange(len(right)), np.abs(right).argmax(axis=1)] < 0, -1.0, 1.0)
    flat = np.pad(left * sizes * signs, ((0, 0), (0, 2)))[:, :2]
    shares = np.pad(sizes**2, (0, 2)) / max(float((sizes**2).sum()), 1e-300)
    return flat, (float(shares[0]), float(shares[1]))


def _label_points(
    sheet: Drawing,
    axes: Axes,
    flat: NDArray[np.float64],
    names: Sequence[str],
    *,
    radii: Sequence[float],
) -> None:
    """Write the names that fit without touching another name or dot; the others are tooltips."""
    sheet.figure.draw_without_rendering()
    dots = axes.transData.transform(flat) * 72 / sheet.figure.dpi
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(dots, radii, strict=True)]
    for (x, y), r, name, point in zip(dots, radii, names, flat, strict=True):
        text = printable(name, limit=12)
        wide = 3.9 * len(text)
        for dx, dy in (
            (r + 2, -2.5),
            (-r - 2 - wide, -2.5),
            (-wide / 2, r + 2),
            (-wide / 2, -r - 7),
        ):
            box = (x + dx, y + dy, x + dx + wide, y + dy + 5.5)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                mark = sheet.outside(name, limit=12)
                axes.annotate(
                    mark, point, (dx, dy), textcoords="offset points", fontsize=7, color=MUTED
                ).set_in_layout(False)
                break


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _legend(axes: Axes, models: Sequence[int], kinds: Sequence[int]) -> None:
    """Name colours above and shapes below, where they fit on a line each."""
    rows = max(len(models), len(kinds))
    if rows > MOST_NAMED:
        return
    for model, kind in zip_longest(models, kinds):
        shape = "" if kind is None else MARKERS[kinds.index(kind) % len(MARKERS)]
        square, colour = ("", INK) if model is None else ("s", SERIES[model % len(SERIES)])
        axes.plot([], [], square, color=colour, ms=6, label=f"model {model}" if square else " ")
        if kinds:
            axes.plot([], [], shape, color=MUTED, ms=5, label=f"true {kind}" if shape else " ")
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=rows,
        frameon=False,
        fontsize=9,
        handletextpad=0.2,
        columnspacing=1.0,
    )
