"""What the commands share: where they print, and how a deliberate error leaves."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from secure_clove.errors import CloveError

out, err = Console(), Console(stderr=True)

REFUSED = 2
"""Exit code of everything this library refuses on purpose."""


@contextmanager
def explained() -> Iterator[None]:
    """Print a deliberate error with its code, and leave with `REFUSED`."""
    try:
        yield
    except CloveError as error:
        err.print(
            f"[bold red]{error.code}[/]: {escape(str(error))}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(REFUSED) from error
