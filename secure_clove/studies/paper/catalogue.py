"""Every sheet by its name: the one place to add a table or a figure."""

from collections.abc import Mapping

from secure_clove.errors import ConfigError
from secure_clove.studies.paper.figure_sheets import FIGURES
from secure_clove.studies.paper.sheet import Sheet
from secure_clove.studies.paper.table_sheets import TABLES

SHEETS: Mapping[str, Sheet] = {sheet.name: sheet for sheet in (*TABLES, *FIGURES)}


def sheet_called(*, table: str | None, figure: int | None) -> Sheet:
    """Return the table or the figure that is named.

    Args:
        table: Its number, or the name of a sheet of ours.
        figure: Its number.

    Raises:
        ConfigError: none or both are named, or there is no such sheet.
    """
    if (table is None) == (figure is None):
        raise ConfigError("name one table or one figure")
    names = (f"table {table}", str(table)) if table is not None else (f"figure {figure}",)
    for name in names:
        if name in SHEETS:
            return SHEETS[name]
    raise ConfigError(f"there is no {names[0]}; there are {', '.join(SHEETS)}")
