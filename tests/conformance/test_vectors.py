"""The library and an independent verifier agree on every vector, taken or refused."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from secure_clove import errors
from tests.architecture.source import Source, imports
from tests.conformance import plain, replay, verifier
from tests.conformance.plain import Refused
from tests.conformance.verifier import CHECKS
from tests.vectors import session
from tests.vectors.__main__ import FOLDER, contents
from tests.vectors.library import KINDS

FILES: dict[str, Any] = {p.stem: json.loads(p.read_text()) for p in sorted(FOLDER.glob("*.json"))}
RUN = FILES["run"]["taken"]["run"]
ABOUT_RUN = ("fetched", "received", "totalled")
"""Kinds of lies that are told in the first whole session."""


def cases(part: str) -> list[Any]:
    """Return every case of all files that is taken or refused."""
    return [
        pytest.param(kind, case, id=f"{name}-{kind}-{case.get('name', number)}")
        for name, file in FILES.items()
        for kind, found in file[part].items()
        for number, case in enumerate(found)
    ]


def computed(kind: str, given: Any) -> Any:
    """Return what the library makes of a case, as JSON would hold it."""
    if kind in ABOUT_RUN:
        return getattr(session, kind)(given, RUN[0]["in"])
    return session.run(given) if kind == "run" else KINDS[kind](given)


def verified(kind: str, given: Any) -> Any:
    """Return what the independent verifier makes of it."""
    if kind in ABOUT_RUN:
        return getattr(replay, kind)(given, RUN[0]["in"])
    return replay.run(given) if kind == "run" else CHECKS[kind](given)


def test_the_committed_files_are_what_the_library_writes() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert committed == contents(), "run python -m tests.vectors and look at the difference"


@pytest.mark.parametrize(("kind", "case"), cases("taken"))
def test_the_verifier_recomputes_every_vector(kind: str, case: Any) -> None:
    assert verified(kind, case["in"]) == case["out"]


@pytest.mark.parametrize(("kind", "case"), cases("refused"))
def test_the_library_refuses_with_the_named_error(kind: str, case: Any) -> None:
    with pytest.raises(errors.CloveError) as caught:
        computed(kind, case["in"])
    assert type(caught.value) is getattr(errors, case["error"])


@pytest.mark.parametrize(("kind", "case"), cases("refused"))
def test_the_verifier_refuses_the_same(kind: str, case: Any) -> None:
    with pytest.raises(Refused):
        verified(kind, case["in"])


def test_the_sum_of_a_vector_is_the_plain_sum_of_who_was_not_silent() -> None:
    for case in RUN:
        given = case["in"]
        heard = [c for c in given["inputs"] if c not in given["silent"]["masked"]]
        columns = zip(*(given["inputs"][c] for c in heard), strict=True)
        modulus = 2 ** given["session"]["ring_bits"]
        assert case["out"]["total"] == [sum(column) % modulus for column in columns]


def test_the_verifier_imports_nothing_of_the_library() -> None:
    for module in (plain, replay, verifier):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = imports(Source(path=module.__name__, lines=0, tree=tree))
        assert not [name for name in imported if name.startswith("secure_clove")]
