"""Markdown pages cut into their code blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
"""Every page a stranger reads."""

_FENCE = re.compile(
    r"(?:^<!-- test: (?P<mark>[a-z]+) -->\n)?^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        page: Where it stands.
        line: Of its first line, from 1.
        language: After the fence.
        text: Between the fences.
        mark: ``server`` or ``background`` if a comment above says that it keeps running.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        """Page and line, for a person to find."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> str:
        """The commands of a console block, without prompts and output."""
        lines = self.text.splitlines()
        return "\n".join(line[2:] for line in lines if line.startswith(("$ ", "> ")))

    @property
    def targets(self) -> list[str]:
        """The targets of a console block that calls make and nothing else."""
        words = [command.split() for command in self.commands.splitlines()]
        return [w[1] for w in words] if all(w[0] == "make" for w in words) else []


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of ``page`` in these languages, in order."""
    text = page.read_text()
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")) + 1,
            language=found["language"],
            text=found["text"],
            mark=found["mark"] or "",
        )
        for found in _FENCE.finditer(text)
        if found["language"] in languages
    ]


def documented() -> list[tuple[str, list[str]]]:
    """Return every documented command with its documented options."""
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    found = []
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        command = part.split("`")[1]
        rows = re.findall(r"^\| `(-[^`]+)`", part, re.MULTILINE)
        found.append((command, [option for row in rows for option in row.split(" / ")]))
    return found
