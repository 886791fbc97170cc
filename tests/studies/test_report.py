"""The report: one file, nothing from elsewhere, nothing from outside unescaped."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from secure_clove.errors import StoreError
from secure_clove.observe.runs import Summary
from secure_clove.studies.course import MOST_ROWS
from secure_clove.studies.maps import CentroidMap, EmbeddingMap
from secure_clove.studies.report import write_report
from tests.observe.builders import CLIENTS, make_audit, make_round, make_summary

HOSTILE = "<script>alert(1)</script>\"'\x1b"
VOID = {"meta", "br", "hr", "link"}


class Page(HTMLParser):
    """What a browser would find: tags, ids, attributes; and whether tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(
    folder: Path,
    *,
    summary: Summary | None = None,
    rounds: int = 3,
    name: str = "a",
    settings: dict[str, object] | None = None,
    budget: float | None = 4.0,
    seen: CentroidMap | None = None,
) -> str:
    """Return the page of a run in which one client is called ``name``."""
    records = [
        make_round(n, dropouts=(name,), assignment={name: 0, "b": 1}) for n in range(1, rounds + 1)
    ]
    vectors = np.arange(8.0).reshape(4, 2)
    points = EmbeddingMap(vectors=vectors, clients=(name, *CLIENTS[1:]), assigned=(0, 0, 1, 1))
    path = write_report(
        folder,
        summary=summary or make_summary(records),
        records=records,
        seen=points if seen is None else seen,
        statement=f"First paragraph.\n\nSecond, about {name}.",
        settings=settings or {"privacy": {"delta": 1e-5}, "layers": [64, 32], "cohort": None},
        budget=budget,
    )
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of a run in which nothing is odd."""
    return report(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("outside", ["http://", "https://", "//", "src=", "@import", "url(http"])
def test_the_page_loads_nothing_from_anywhere(ordinary: str, outside: str) -> None:
    assert outside not in ordinary


def test_every_link_stays_on_the_page(ordinary: str) -> None:
    page = Page(ordinary)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)


def test_the_page_holds_no_script_and_no_handler(ordinary: str) -> None:
    page = Page(ordinary)
    assert not {"script", "iframe", "object", "form", "link", "img"} & set(page.tags)
    assert not {name for name in page.names if name.startswith("on")}


def test_the_browser_is_told_to_load_nothing(ordinary: str) -> None:
    assert "default-src 'none'" in ordinary


def test_no_id_is_used_twice(ordinary: str) -> None:
    ids = Page(ordinary).ids
    assert len(ids) == len(set(ids))


def test_every_tag_is_closed(ordinary: str) -> None:
    assert Page(ordinary).open == []


def test_hostile_names_are_text(tmp_path: Path) -> None:
    summary = make_summary(
        dataset=HOSTILE,
        transport=HOSTILE,
        unit=HOSTILE,
        accuracy_by_client={HOSTILE: 0.5},
        audit={HOSTILE: make_audit(metric=HOSTILE, note=HOSTILE)},
    )
    text = report(tmp_path, summary=summary, name=HOSTILE, settings={HOSTILE: HOSTILE})
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_names_that_look_like_template_fields_stay_as_they_are(tmp_path: Path) -> None:
    assert "$title" in report(tmp_path, name="$title")


@pytest.mark.parametrize(
    "heading",
    ["What is protected", "What attackers got", "Every round", "Settings", "What is not claimed"],
)
def test_the_page_has_its_sections(ordinary: str, heading: str) -> None:
    assert f">{heading}</h2>" in ordinary


def test_the_statement_keeps_its_paragraphs(ordinary: str) -> None:
    assert "<p>First paragraph.</p><p>Second, about a.</p>" in ordinary


SEALED: dict[str, object] = {"visibility": "sealed", "membership": "visible"}
HIDDEN = {**SEALED, "membership": "hidden"}
CENTROIDS = CentroidMap(centroids=np.eye(2), sizes=(2, 2), models=(1, 0))
NOT_HIDDEN = "Hiding which cluster a client is in"


def test_a_client_has_a_point_only_where_its_vector_is_seen(tmp_path: Path, ordinary: str) -> None:
    assert "Every point is a client&#x27;s noised vector" in ordinary
    text = report(tmp_path, settings=SEALED, seen=CENTROIDS)
    assert "<title>model 1: 2 clients</title>" in text
    assert "No client has a point." in text
    assert "noised vector" not in text


def test_sealed_loss_vectors_are_said_to_be_seen_in_sums(tmp_path: Path, ordinary: str) -> None:
    assert "<dd>each client&#x27;s directional loss vector, with its noise</dd>" in ordinary
    text = report(tmp_path, settings=SEALED, seen=CENTROIDS)
    assert "<dd>sums of directional loss vectors, and which cluster each client is in</dd>" in text
    assert "of loss vectors and model updates the coordinator learns sums only" in text


def test_a_hidden_membership_is_said_to_be_known_to_the_clients_alone(tmp_path: Path) -> None:
    text = report(tmp_path, settings=HIDDEN, seen=CENTROIDS)
    assert "only they know their clusters" in text
    assert "The coordinator cannot compute it." in text
    assert "reached in round" not in text


def test_a_membership_that_is_not_hidden_is_among_the_limits(tmp_path: Path, ordinary: str) -> None:
    assert NOT_HIDDEN in ordinary
    assert NOT_HIDDEN in report(tmp_path, settings=SEALED)
    assert NOT_HIDDEN not in report(tmp_path, settings=HIDDEN)


def test_sizes_that_are_not_known_are_a_dash(tmp_path: Path) -> None:
    records = [make_round(1, clusters={}, assignment={}, dropouts=())]
    path = write_report(
        tmp_path,
        summary=make_summary(records),
        records=records,
        seen=None,
        statement="None.",
        settings=HIDDEN,
    )
    row = path.read_text(encoding="utf-8").split('<th scope="row">1</th>')[1].split("</tr>")[0]
    assert row.split("<td")[9] == ">—</td>"


def test_settings_are_listed_with_their_path(ordinary: str) -> None:
    for name, value in (("privacy.delta", "1e-05"), ("layers", "64, 32"), ("cohort", "none")):
        assert f'{name}</th><td class="left wrap">{value}</td>' in ordinary


def test_the_configuration_is_named_by_its_hash(ordinary: str) -> None:
    assert "ab" * 32 in ordinary


def test_a_run_that_kept_its_promises_carries_no_warning(ordinary: str) -> None:
    assert 'class="banner' not in ordinary


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"entropy": "simulated"}, "A simulation"),
        ({"secure_aggregation": False}, "Updates were not masked"),
        ({"epsilon_total": None}, "No differential privacy"),
        ({"epsilon_total": 5.0}, "Over the privacy budget"),
        ({"audit": {"A1": make_audit(bound=0.5)}}, "An attack got further than its limit"),
    ],
)
def test_what_a_reader_must_know_stands_at_the_top(
    tmp_path: Path, changes: dict[str, object], warning: str
) -> None:
    text = report(tmp_path, summary=make_summary(**changes))
    assert 0 < text.index(f"{warning}.</strong>") < text.index("Headline numbers")


def test_the_odds_of_a_guess_are_told_in_plain_numbers(tmp_path: Path) -> None:
    text = report(tmp_path, summary=make_summary(epsilon_total=1.0))
    assert "right at most 73 times in 100" in text


def test_no_odds_are_told_where_there_is_no_bound(tmp_path: Path) -> None:
    text = report(tmp_path, summary=make_summary(epsilon_total=None))
    assert "times in 100" not in text


def test_a_very_long_run_shows_its_last_rounds_and_says_where_the_others_are(
    tmp_path: Path,
) -> None:
    text = report(tmp_path, rounds=MOST_ROWS + 7)
    assert "The first 7 rounds are in metrics.jsonl." in text
    assert text.count('<th scope="row">') == MOST_ROWS


def test_every_round_tells_the_signal_to_noise_of_its_releases(ordinary: str) -> None:
    assert "<td>2.50 · 4.00 · —</td>" in ordinary
    assert 'aria-labelledby="signal-title signal-desc"' in ordinary


def test_a_run_without_rounds_audit_or_map_has_a_report(tmp_path: Path) -> None:
    path = write_report(
        tmp_path,
        summary=make_summary(audit={}, accuracy_by_client={}, ari_final=None),
        records=[],
        seen=None,
        statement="None.",
        settings={},
    )
    assert "No attack was run" in path.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        report(tmp_path / "missing")
