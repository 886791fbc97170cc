"""The report of a run: one HTML file that a data-protection officer can read and keep."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from secure_clove.errors import StoreError
from secure_clove.observe.runs import REPORT, RoundRecord, Summary
from secure_clove.observe.wording import (
    best_guess,
    duration,
    epsilon,
    percent,
    score,
    small,
    volume,
)
from secure_clove.studies import course, maps, plots
from secure_clove.studies.fragments import (
    banner,
    fact,
    item,
    paragraphs,
    safe,
    table,
    tile,
)
from secure_clove.studies.verdicts import Verdict, attack_of, is_error, judge, sentence
from secure_clove.studies.visibility import Visibility


def write_report(
    directory: Path,
    *,
    summary: Summary,
    records: Sequence[RoundRecord],
    seen: maps.EmbeddingMap | maps.CentroidMap | None,
    statement: str,
    settings: Mapping[str, object],
    budget: float | None = None,
) -> Path:
    """Write ``report.html`` into ``directory`` and return its path.

    Args:
        directory: The run's folder.
        summary: The whole run in numbers.
        records: Its rounds in order.
        seen: What the server saw of the clients when it clustered last; None: nothing.
        statement: The privacy statement; an empty line parts its paragraphs.
        settings: The resolved configuration, nested mappings allowed.
        budget: Largest ε allowed in total; None where there is no limit.

    Raises:
        StoreError: the file could not be written.
    """
    visibility = Visibility.of(settings)
    templates = files("secure_clove.studies").joinpath("templates")
    page = Template(templates.joinpath("report.html").read_text("utf-8")).substitute(
        style=templates.joinpath("report.css").read_text("utf-8"),
        title=f"{safe(summary.dataset)}: run report",
        heading=safe(summary.dataset),
        lead=_lead(summary),
        banners="\n".join(_banners(summary, budget)),
        tiles="\n".join(_tiles(summary, records, visibility, budget)),
        statement=paragraphs(statement) + _plain_odds(summary),
        facts="\n".join(_facts(summary, visibility)),
        audit=_audit(summary),
        figures="\n".join(
            course.figures(summary, records, seen=seen, visibility=visibility, budget=budget)
        ),
        rounds=course.rounds_table(records),
        settings=_settings(summary, settings),
        limits="\n".join(item(text) for text in _limits(summary, visibility)),
        again="\n".join(item(text) for text in _again(summary)),
    )
    path = directory / REPORT
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"the report could not be written: {error.strerror}") from error
    return path


def _lead(summary: Summary) -> str:
    return safe(
        f"{summary.clients} clients trained {summary.clusters} models together in "
        f"{summary.rounds} rounds; each client ended with the model of its cluster."
    )


def _banners(summary: Summary, budget: float | None) -> Iterator[str]:
    over = [name for name, row in summary.audit.items() if judge(row) is Verdict.OVER]
    if over:
        names = ", ".join(attack_of(name).title for name in over)
        yield banner("bad", "An attack got further than its limit", f"{names}. See below.")
    if summary.epsilon_total is None:
        text = "The noise was off or unbounded: no ε holds for this run."
        yield banner("bad", "No differential privacy", text)
    elif budget is not None and summary.epsilon_total > budget:
        text = f"ε {epsilon(summary.epsilon_total)} was spent, {budget:g} was allowed."
        yield banner("bad", "Over the privacy budget", text)
    if not summary.secure_aggregation:
        text = "The coordinator saw every client's model update by itself."
        yield banner("warn", "Updates were not masked", text)
    if summary.entropy == "simulated":
        text = (
            "This run drew its noise and keys from a seed, so that it can be repeated. Whoever has "
            "the seed can remove the noise. Read its privacy numbers as those of the same run with "
            "real randomness."
        )
        yield banner("warn", "A simulation", text)


def _tiles(
    summary: Summary,
    records: Sequence[RoundRecord],
    visibility: Visibility,
    budget: float | None,
) -> Iterator[str]:
    of_budget = "" if budget is None else f"of {budget:g}"
    scope = f"for one {summary.unit}, at δ = {small(summary.delta)}"
    yield tile("Privacy spent (ε)", epsilon(summary.epsilon_total), of_budget, scope)
    first = summary.first_round_ari_0_9
    found = f"0.9 reached in round {first}" if first else "0.9 was never reached"
    if summary.ari_final is None:
        found = "the true clusters are not known"
    elif visibility.is_hidden:
        found = "at the end, by the clients' models; only they know their clusters"
    yield tile("Clusters (ARI)", score(summary.ari_final), "of 1", found)
    values = summary.accuracy_by_client.values()
    spread = f"clients from {percent(min(values))} to {percent(max(values))}" if values else ""
    yield tile("Mean accuracy", percent(summary.accuracy_mean), "", spread)
    for name, row in list(summary.audit.items())[:1]:
        limit = "" if row.bound is None else f"limit {score(row.bound)}; "
        more = f"{attack_of(name).title}; {limit}without defence {score(row.without_defence)}"
        yield tile(f"Attack ({row.metric})", score(row.with_defence), "", more)
    aborted = sum(record.aborted_attempts for record in records)
    lost = f"over {summary.rounds} rounds; {aborted} attempts run again"
    yield tile("Dropouts", str(summary.dropouts), "", lost)
    each = (summary.bytes_up + summary.bytes_down) // max(1, summary.clients)
    more = f"per client, up and down; the run took {duration(summary.wall_seconds)}"
    yield tile("Traffic", volume(each), "", more)


def _plain_odds(summary: Summary) -> str:
    if summary.epsilon_total is None:
        return ""
    right = 100 * best_guess(summary.epsilon_total, delta=summary.delta)
    shown = f"{right:.0f}" if right < 99 else f"{min(right, 99.999):.5g}"
    return paragraphs(
        f"In plain numbers: whoever sees what this guarantee covers and must say whether one given "
        f"{summary.unit} was in the data is right at most {shown} times in 100. Tossing a coin is "
        "right 50 times."
    )


def _facts(summary: Summary, visibility: Visibility) -> Iterator[str]:
    noise = {
        "local": "local: every client adds all of its own",
        "distributed": "distributed: the clients' shares add up in the sum",
        "none": "none",
    }
    entropy = {"os": "operating system", "simulated": "simulated, from a seed"}
    yield fact("Secure aggregation", visibility.masked if summary.secure_aggregation else "off")
    yield fact("Noise", noise.get(summary.noise_mode, summary.noise_mode))
    yield fact("Randomness", entropy[summary.entropy])
    yield fact("Clustering sees", visibility.clustering(summary.embedding))
    yield fact("Protected unit", f"one {summary.unit}")
    yield fact("ε for clustering", epsilon(summary.epsilon_embedding))
    yield fact("ε for model updates", epsilon(summary.epsilon_update))
    yield fact("ε in total", f"{epsilon(summary.epsilon_total)} at δ = {small(summary.delta)}")
    yield fact("Transport", summary.transport)


def _audit(summary: Summary) -> str:
    if not summary.audit:
        return '<p class="card">No attack was run against this run.</p>'
    told = "".join(_told(name, summary) for name in summary.audit)
    drawn = plots.audit_bars(summary.audit)
    head = ("Attack", "Measured as", "With defence", "Interval", "Without", "Limit", "Verdict")
    rows = [_audit_row(name, summary) for name in summary.audit]
    lined = table("Attacks", head, rows, left=(0, 1))
    return f'<div class="card attacks"><ul>{told}</ul><div>{drawn}</div></div>{lined}'


def _told(name: str, summary: Summary) -> str:
    row = summary.audit[name]
    words = safe(sentence(name, row), limit=900)
    return f"<li>{_verdict(judge(row), attack_of(name).title)}<p>{words}</p></li>"


def _audit_row(name: str, summary: Summary) -> list[str]:
    row = summary.audit[name]
    low_high = row.interval_with
    interval = "—" if low_high is None else f"{score(low_high[0])} to {score(low_high[1])}"
    word = "at least" if is_error(row.metric) else "at most"
    limit = "—" if row.bound is None else f"{word} {score(row.bound)}"
    shown = (row.metric, score(row.with_defence), interval, score(row.without_defence), limit)
    return [name, *shown, judge(row).value]


def _verdict(verdict: Verdict, title: str) -> str:
    kind, sign = {
        Verdict.WITHIN: ("within", "✓"),
        Verdict.OVER: ("over", "✕"),
        Verdict.UNLIMITED: ("none", "○"),
    }[verdict]
    return f'<h3>{safe(title)} <span class="verdict {kind}">{sign} {verdict.value}</span></h3>'


def _settings(summary: Summary, settings: Mapping[str, object]) -> str:
    rows: list[list[str]] = [[name, value] for name, value in _flat(settings)]
    lined = table("Settings", ("Setting", "Value"), rows, left=(0, 1))
    return f"<p>Configuration hash <code>{safe(summary.config_hash)}</code></p>{lined}"


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(str(part) for part in value)
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)


def _limits(summary: Summary, visibility: Visibility) -> Iterator[str]:
    if not summary.secure_aggregation:
        yield "Hiding a single client's update from the coordinator: secure aggregation was off."
    yield "Hiding who took part, and when."
    if not visibility.is_hidden:
        yield "Hiding which cluster a client is in: the coordinator is told."
    yield "Hiding what is typical of a whole cluster: its model shows that on purpose."
    yield f"Hiding a whole client. The guarantee is for one {summary.unit}."
    yield "Resisting clients that send bad updates on purpose (poisoning)."
    yield "Staying available when too many clients leave."
    yield "That no other attack exists: the audit speaks of the attacks it ran, and of no others."


def _again(summary: Summary) -> Iterator[str]:
    yield "Install the same release of secure_clove."
    yield "Run it with the settings above; the configuration hash that it prints must be the same."
    if summary.entropy == "simulated":
        yield "Every number but the times is the same again: this run drew from a seed."
    else:
        yield "The noise is fresh every time, so scores differ a little. The ε do not."
    yield "The rounds are in metrics.jsonl and these totals in summary.json, beside this page."
