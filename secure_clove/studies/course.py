"""How a run went: its figures and the table of its rounds, as the report shows them."""

from collections.abc import Iterator, Sequence

from secure_clove.observe.runs import RoundRecord, Summary
from secure_clove.observe.wording import duration, epsilon, percent, ratio, score, volume
from secure_clove.studies import maps, plots
from secure_clove.studies.fragments import figure, safe, table
from secure_clove.studies.visibility import Visibility

ROUND_HEAD = (
    "Round",
    "ARI",
    "Agreement",
    "Accuracy",
    "Released",
    "ε clustering",
    "ε updates",
    "ε total",
    "Signal to noise",
    "Cluster sizes",
    "Clients",
    "Dropped out",
    "Up",
    "Down",
    "Time",
    "Run again",
)
MOST_ROWS = 500  # rounds in the table; the file of metrics holds the others


def figures(
    summary: Summary,
    records: Sequence[RoundRecord],
    *,
    seen: maps.EmbeddingMap | maps.CentroidMap | None,
    visibility: Visibility,
    budget: float | None,
) -> Iterator[str]:
    """Yield every figure under the question that it answers.

    Args:
        summary: The whole run in numbers.
        records: Its rounds in order.
        seen: What the server saw of the clients when it clustered last; None: nothing.
        visibility: How much of the clients a clustering showed.
        budget: Largest ε allowed in total; None where there is no limit.
    """
    assignment = records[-1].assignment if records else {}
    yield figure(
        "Were the right clients grouped?", plots.ari_by_round(records), _grouped(visibility)
    )
    yield figure(
        "How good did the models get?",
        plots.accuracy_by_round(records),
        "Mean over clients, on data they held out. The released curve carries noise.",
    )
    yield figure(
        "What did it cost in privacy?",
        plots.epsilon_by_round(records, budget=budget),
        "ε so far. The parts compose to a total that is less than their sum.",
    )
    yield figure(
        "Did the signal stand out of the noise?",
        plots.signal_by_round(records),
        "Of what was released in each round, norm over norm: below 1 there was more noise. "
        "Clustering is one client's vector, the others are sums over all.",
    )
    yield figure(
        "What travelled?", plots.bytes_by_round(records), "All clients together, every round."
    )
    if summary.accuracy_by_client:
        yield figure(
            "Is any client left behind?",
            plots.accuracy_by_client(summary.accuracy_by_client, assignment),
            "Every bar is a client beside the others of its cluster; above, the cluster's mean.",
        )
    if seen is not None:
        yield _seen(seen, visibility)


def _grouped(visibility: Visibility) -> str:
    """Return what there is to know of the index."""
    if not visibility.is_hidden:
        return "1 is the true grouping, 0 is chance. The agreement needs no truth."
    return (
        "1 is the true grouping, 0 is chance. Only the clients know their clusters: the index is "
        "that of the models they ended with. The coordinator cannot compute it."
    )


def _seen(seen: maps.EmbeddingMap | maps.CentroidMap, visibility: Visibility) -> str:
    """Return the figure of what the server clustered."""
    question = "What did the clustering see?"
    if isinstance(seen, maps.EmbeddingMap):
        return figure(
            question,
            maps.embedding_map(seen),
            "Every point is a client's noised vector. Colour is the model it got, shape its true "
            "cluster where known.",
        )
    told = "sizes" if visibility.is_hidden else "who is in which cluster"
    return figure(
        question,
        maps.centroid_map(seen),
        f"Sums over all clients, the centroids read off them, and {told}: that is everything. No "
        "client has a point. The area of a circle is the cluster's size, its colour the model "
        "it got.",
    )


def rounds_table(records: Sequence[RoundRecord]) -> str:
    """Return the rounds as a table, the last ones where there are very many."""
    shown = records[-MOST_ROWS:]
    lined = table("Rounds", ROUND_HEAD, [_round_row(record) for record in shown], left=(11,))
    note = (
        "A dash is a thing not sent or unknown. Signal to noise is of clustering, updates, metrics."
    )
    if len(shown) < len(records):
        note += f" The first {len(records) - len(shown)} rounds are in metrics.jsonl."
    return f'{lined}<p class="note">{safe(note)}</p>'


def _round_row(record: RoundRecord) -> list[str]:
    return [
        str(record.round),
        score(record.ari),
        score(record.agreement),
        percent(record.accuracy),
        percent(record.accuracy_released),
        epsilon(record.epsilon_embedding),
        epsilon(record.epsilon_update),
        epsilon(record.epsilon_total),
        _signals(record),
        " ".join(str(size) for _, size in sorted(record.clusters.items(), key=_numbered)) or "—",
        str(record.cohort - len(record.dropouts)),
        ", ".join(record.dropouts) or "—",
        volume(record.bytes_up),
        volume(record.bytes_down),
        duration(record.seconds),
        str(record.aborted_attempts),
    ]


def _signals(record: RoundRecord) -> str:
    found = (record.snr_embedding, record.snr_update, record.snr_metrics)
    return " · ".join(map(ratio, found))


def _numbered(entry: tuple[str, int]) -> tuple[int, str]:
    return (int(entry[0]) if entry[0].isdecimal() else 0, entry[0])
