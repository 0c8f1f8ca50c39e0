"""Tables in plain columns: nothing is ever cut, least of all an id that the next command needs."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len

from relay.log import printable

GAP = 2
NARROWEST = 24
"""How many columns the last cell needs at least to be wrapped in its own place."""


def table(titles: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """The lines of a table. `width` is that of the terminal: there a long last cell goes on below itself.

    By default it is asked for; whoever reads from a pipe or a file gets each row in one line.
    """
    if width is None and sys.stdout is not None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    shown = [[printable(str(cell)) for cell in row] for row in [titles, *rows]]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    indent = sum(widths[:-1]) + GAP * (len(widths) - 1)
    lines = []
    for *cells, last in shown:
        head = "".join(cell + " " * (space - cell_len(cell) + GAP) for cell, space in zip(cells, widths, strict=False))
        if width is not None and width - indent >= NARROWEST:
            pieces = textwrap.wrap(last, width - indent, break_long_words=False, break_on_hyphens=False) or [""]
            lines += [head + pieces[0], *(" " * indent + piece for piece in pieces[1:])]
        else:
            lines.append(head + last)
    return "\n".join(line.rstrip() for line in lines)
