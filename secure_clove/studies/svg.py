"""A drawing that ends as an SVG element for a page: no outside reference, light and dark.

Matplotlib draws; what comes out is cleaned. Colours become CSS variables with their light value as
fallback, so that the page decides between light and dark. Text from outside (client ids, names of
attacks) never passes through matplotlib: a placeholder is drawn, and the text is put in at the end
as an XML text node, so it cannot be read as mathematics, markup or a missing glyph.
"""

import re
from collections.abc import Iterable
from io import StringIO
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from secure_clove.observe.wording import printable

INK, MUTED, GRID, SURFACE = "#0b0b0b", "#52514e", "#e1e0d9", "#fcfcfb"
BLUE, ORANGE, GREEN, YELLOW = "#2a78d6", "#eb6834", "#1baf7a", "#eda100"
VIOLET, PINK, FOREST, RED = "#4a3aa7", "#e87ba4", "#008300", "#e34948"
SERIES = (BLUE, ORANGE, GREEN, YELLOW, VIOLET, PINK, FOREST, RED)
"""Colours of the categories in fixed order; they stay apart for the common colour blindnesses."""

VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", SURFACE: "--surface"} | {
    colour: f"--series-{place}" for place, colour in enumerate(SERIES, 1)
}
SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
}
MARGIN = 10.0  # points around a drawing that stands alone
WIDTH = 5.2  # inches: 374 units, so that type stays readable on a phone
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
_MARK = re.compile(r"@(\d+)@x*")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_REFERENCE = re.compile(r"#([\w-]+)")
_FONT = re.compile(r"'DejaVu Sans'[^;]*")


class Drawing:
    """One figure and the outside texts it shows, as a context manager."""

    def __init__(self, name: str, *, title: str, about: str, height: float = 2.6) -> None:
        """Open a figure.

        Args:
            name: Word that makes the ids of this figure unique on a page.
            title: What it shows, in a few words.
            about: What it says, for those who cannot see it.
            height: In inches, for a width of 5.2.
        """
        self.name, self.title, self.about = name, title, about
        self.figure = Figure(figsize=(WIDTH, height), layout="constrained")
        self._outside: list[str] = []
        self._settings = mpl.rc_context({**SETTINGS, "svg.hashsalt": name})

    def __enter__(self) -> Self:
        """Draw with the settings of this page until the block ends."""
        self._settings.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put matplotlib's own settings back."""
        self._settings.__exit__(kind, error, trace)

    def axes(self, rows: int = 1) -> list[Axes]:
        """Return ``rows`` plain panels, one below the other."""
        panels = self.figure.subplots(rows, 1, squeeze=False)[:, 0]
        for panel in panels:
            panel.patch.set_visible(False)
            panel.spines[["top", "right", "left"]].set_visible(False)
            panel.tick_params(length=0)
            panel.grid(axis="y", linewidth=0.7)
            panel.set_axisbelow(True)
        return list(panels)

    def outside(self, text: str, *, limit: int = 24) -> str:
        """Return the placeholder, of about its width, for ``text``, which `render` puts in."""
        self._outside.append(printable(text, limit=limit))
        return f"@{len(self._outside) - 1}@".ljust(len(self._outside[-1]), "x")

    def tip(self, artist: Artist, text: str) -> None:
        """Let ``artist`` show ``text`` when the pointer rests on it, and to screen readers."""
        self._outside.append(printable(text, limit=160))
        artist.set_gid(f"tip-{len(self._outside) - 1}")

    def render(self) -> str:
        """Return the ``<svg>`` element as text."""
        buffer = StringIO()
        self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314  our own renderer's output
        _prune(root)
        self._put_in_outside_texts(root)
        _make_ids_unique(root, self.name)
        for element in root.iter():
            _localise(element)
        self._describe(root)
        return ElementTree.tostring(root, encoding="unicode")

    def _put_in_outside_texts(self, root: ElementTree.Element) -> None:
        for element in list(root.iter()):
            if element.text:
                element.text = _MARK.sub(lambda m: self._outside[int(m[1])], element.text)
            identifier = element.get("id", "")
            if identifier.startswith("tip-"):
                tip = ElementTree.Element(f"{SVG}title")
                tip.text = self._outside[int(identifier.removeprefix("tip-"))]
                element.insert(0, tip)

    def _describe(self, root: ElementTree.Element) -> None:
        for place, (tag, text) in enumerate((("title", self.title), ("desc", self.about))):
            element = ElementTree.Element(tag, {"id": f"{self.name}-{tag}"})
            element.text = printable(text, limit=600)
            root.insert(place, element)
        box = root.attrib["viewBox"]
        root.attrib.clear()
        root.attrib.update(
            {
                "viewBox": box,
                "role": "img",
                "aria-labelledby": f"{self.name}-title {self.name}-desc",
                "style": "stroke-linejoin: round; stroke-linecap: butt",
            }
        )


def _prune(root: ElementTree.Element) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            holds_style = child.tag == f"{SVG}defs" and child.find(f"{SVG}style") is not None
            if child.tag == f"{SVG}metadata" or holds_style:
                parent.remove(child)


def standalone(svg: str) -> str:
    """Return an element of `Drawing` as a document of its own, on a light ground."""
    root = ElementTree.fromstring(svg)  # noqa: S314  our own renderer's output
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    box = (-MARGIN, -MARGIN, width + 2 * MARGIN, height + 2 * MARGIN)
    place = dict(zip(("x", "y", "width", "height"), map("{:g}".format, box), strict=True))
    paper = ElementTree.Element("rect", place | {"fill": SURFACE})
    root.insert(2, paper)  # behind title and description
    root.set("viewBox", " ".join(place.values()))
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("width", f"{box[2]:g}pt")
    root.set("height", f"{box[3]:g}pt")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _make_ids_unique(root: ElementTree.Element, name: str) -> None:
    wanted = set(_references(root))
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in wanted:
            element.set("id", f"{name}-{identifier}")
        target = element.attrib.pop(LINK, None)
        if target is not None:
            element.set("href", _REFERENCE.sub(rf"#{name}-\1", target))
        if "clip-path" in element.attrib:
            element.set("clip-path", _REFERENCE.sub(rf"#{name}-\1", element.attrib["clip-path"]))


def _references(root: ElementTree.Element) -> Iterable[str]:
    for element in root.iter():
        for key in (LINK, "clip-path"):
            yield from _REFERENCE.findall(element.get(key, ""))


def _localise(element: ElementTree.Element) -> None:
    element.tag = element.tag.removeprefix(SVG)
    style = element.get("style")
    if style is not None:
        style = _COLOUR.sub(lambda m: _variable(m[0]), style)
        element.set("style", _FONT.sub("system-ui, sans-serif", style))


def _variable(colour: str) -> str:
    name = VARIABLES.get(colour)
    return colour if name is None else f"var({name}, {colour})"
