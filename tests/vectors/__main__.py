"""Writes tests/vectors/*.json anew from the library; a test holds the files against it.

README: a file is ``{"about", "taken", "refused"}``. ``taken`` maps a kind to cases of ``in`` and
``out``; ``refused`` maps a kind to cases of ``name``, ``in`` and ``error``, the name of the error
that the library raises. Bytes are hex, all else is what it looks like. The kinds are explained in
`tests.vectors.library`; `tests.conformance.verifier` recomputes every case without the library.
Another implementation conforms if it takes what is taken, with these results, and refuses the rest.
"""

import json
from pathlib import Path
from typing import Any

from tests.vectors.inputs import FILES
from tests.vectors.library import KINDS
from tests.vectors.session import session_file

FOLDER = Path(__file__).parent


def contents() -> dict[str, str]:
    """Return every file by name as it has to be."""
    made = {name: _answered(given) for name, given in FILES.items()}
    return {f"{name}.json": _text(file) for name, file in {**made, "run": session_file()}.items()}


def _answered(file: Any) -> Any:
    taken = {
        kind: [{"in": given, "out": KINDS[kind](given)} for given in cases]
        for kind, cases in file["taken"].items()
    }
    return {**file, "taken": taken}


def _text(file: Any) -> str:
    return json.dumps(file, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, text in contents().items():
        (FOLDER / name).write_text(text)
