"""What a page shows of one topic: a finding, its chart, its table, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A value in a table. `href` is relative to the site's root; empty for plain text."""

    text: str
    href: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """The figures of a chart; the first cell of a row is its header."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Figure:
    """A finding and what shows it.

    `title` states the finding, `subtitle` what is drawn. `key` is unique among the figures of a
    council. `svg` is empty if there is nothing to draw, and `text` then says why. `dataset` names
    the mart of the figures, `legend` the shades of a map, light to dark. The table
    of one that `is_open` is always shown.
    """

    key: str
    title: str
    subtitle: str
    dataset: str
    svg: str = ""
    text: str = ""
    table: Table | None = None
    notes: Sequence[str] = ()
    legend: Sequence[str] = ()
    is_open: bool = False
    is_gap: bool = False


@dataclass(frozen=True)
class Section:
    """The figures of one topic and council; the first one's title is the council's headline."""

    council: str
    council_title: str
    figures: Sequence[Figure]

    @property
    def headline(self) -> Figure:
        """The finding that stands for all."""
        return self.figures[0]

    @property
    def gaps(self) -> list[Figure]:
        """What is missing."""
        return [figure for figure in self.figures if figure.is_gap]


@dataclass(frozen=True)
class Topic:
    """A subject with a page of its own. `section` makes the figures of one council."""

    name: str
    title: str
    summary: str
    section: Callable[..., Sequence[Figure]] = field(compare=False)


def gap(key: str, title: str, why: str, dataset: str) -> Figure:
    """In the place of a figure that cannot be made."""
    return Figure(key, title, "", dataset, text=why, is_gap=True)


def text(value: str, href: str = "") -> Cell:
    """A cell of words."""
    return Cell(value, href)


def figure_cell(value: str) -> Cell:
    """A cell of a number, aligned right."""
    return Cell(value, is_number=True)
