"""The pieces a report is made of, as HTML. Every text that enters one is escaped here."""

from collections.abc import Collection, Sequence
from html import escape

from secure_clove.observe.wording import printable


def safe(text: str, *, limit: int = 400) -> str:
    """Return ``text`` as one line of HTML, escaped, of at most ``limit`` characters."""
    return escape(printable(text, limit=limit), quote=True)


def paragraphs(text: str) -> str:
    """Return ``text`` as paragraphs: an empty line parts two, a line break stays one."""
    parts = [part.strip() for part in text.split("\n\n")]
    lines = ["\n".join(safe(line, limit=2000) for line in part.splitlines()) for part in parts]
    return "".join(f"<p>{part}</p>" for part in lines if part)


def banner(kind: str, title: str, text: str) -> str:
    """Return a warning for the top of the page; ``kind`` is ``warn`` or ``bad``."""
    sign = "✕" if kind == "bad" else "⚠"
    words = f"<strong>{sign} {safe(title)}.</strong> {safe(text)}"
    return f'<p class="banner {kind}" role="note">{words}</p>'


def tile(name: str, number: str, unit: str, more: str) -> str:
    """Return one headline number with its name above and a remark below."""
    small = f" <small>{safe(unit)}</small>" if unit else ""
    return (
        f'<div class="tile"><p class="name">{safe(name)}</p>'
        f'<p class="number">{safe(number)}{small}</p><p class="more">{safe(more)}</p></div>'
    )


def fact(name: str, value: str) -> str:
    """Return one line of a list of facts."""
    return f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>"


def item(text: str) -> str:
    """Return one entry of a list."""
    return f"<li>{safe(text)}</li>"


def figure(question: str, svg: str, caption: str) -> str:
    """Return a figure under the question that it answers; ``svg`` is ours and stays as it is."""
    return (
        f'<figure class="card"><h3>{safe(question)}</h3>{svg}'
        f"<figcaption>{safe(caption)}</figcaption></figure>"
    )


def table(
    name: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[int] = ()
) -> str:
    """Return a table that scrolls sideways where the page is narrow.

    Args:
        name: What it lists, for screen readers.
        head: One heading a column.
        rows: One text a column; the first names the row.
        left: Columns of words, which are set flush left and may wrap.
    """
    kinds = [' class="left wrap"' if place in left else "" for place in range(len(head))]
    top = "".join(
        f'<th scope="col"{kind}>{safe(text)}</th>' for kind, text in zip(kinds, head, strict=True)
    )
    body = "".join(_row(kinds, row) for row in rows)
    return (
        f'<div class="card scroll" role="region" tabindex="0" aria-label="{safe(name)}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(kinds: Sequence[str], row: Sequence[str]) -> str:
    cells = list(zip(kinds, row, strict=True))
    first, rest = cells[0], cells[1:]
    named = f'<th scope="row"{first[0]}>{safe(first[1])}</th>'
    return f"<tr>{named}{''.join(f'<td{kind}>{safe(text)}</td>' for kind, text in rest)}</tr>"
