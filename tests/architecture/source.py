"""Python files as syntax trees, for the rules of this folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.builders import LIBRARY, REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One Python file.

    Attributes:
        path: As it is shown in a message.
        lines: How many it has.
        tree: What it says.
    """

    path: str
    lines: int
    tree: ast.Module


def _read(root: Path) -> Iterator[Source]:
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        shown = str(path.relative_to(root.parent))
        yield Source(path=shown, lines=len(text.splitlines()), tree=ast.parse(text))


@cache
def library() -> tuple[Source, ...]:
    """Return every module of the imported library."""
    return tuple(_read(LIBRARY))


@cache
def shipped() -> tuple[Source, ...]:
    """Return the library and, in a checkout, the applications beside it."""
    applications = (REPOSITORY / name for name in ("api", "threat_models"))
    found = [source for root in applications if root.is_dir() for source in _read(root)]
    return (*library(), *found)


def module(path: str) -> Source:
    """Return one module of the library by its path."""
    return next(source for source in library() if source.path == path)


def places(source: Source, kind: type[ast.AST]) -> list[str]:
    """Return where nodes of ``kind`` stand, for a message."""
    found = [node for node in ast.walk(source.tree) if isinstance(node, kind)]
    return [f"{source.path}:{getattr(node, 'lineno', 0)}" for node in found]


def calls(source: Source) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with what is called, such as ``np.load``."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(source: Source) -> Iterator[str]:
    """Yield the full name of everything a module imports."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
