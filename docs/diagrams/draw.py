"""Draw the diagrams of docs/architecture.md: each `*.yaml` of this folder becomes an `*.svg`.

`make diagrams` runs it. The output depends only on the YAML file, so a test compares it byte for
byte. Coordinates are pixels. Boxes are placed by hand on a grid (`at: [column, row]`); arrows are
routed through the gaps between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
MARGIN, HEADER = 44, 104
# Distance of parallel lines in a gap, and of a line from a box.
LANE, CLEARANCE = 9, 10

# kind: (fill, border and line) in light, then in dark mode. After Okabe and Ito's colour-blind-safe
# palette.
KINDS = {
    "entry": ("#fff4d6", "#b7791f", "#3a2f14", "#e8b04a"),
    "local": ("#e6f6ee", "#13795b", "#12332a", "#4fc79c"),
    "job": ("#e4effb", "#1f62ad", "#142c48", "#69aef0"),
    "step": ("#f3e8fb", "#7b3fa8", "#2f1d40", "#c594ec"),
    "aws": ("#fdeae0", "#b4501e", "#3d2215", "#f09a6c"),
    "definition": ("#ebedf0", "#4b5563", "#2a2f37", "#a8b3c2"),
    "sandbox": ("#fbe7ef", "#a8336a", "#3e1a2a", "#ee8cb5"),
    "store": ("#e4effb", "#1f62ad", "#142c48", "#69aef0"),
    "plain": ("#ffffff", "#6b7280", "#1c2129", "#9aa5b4"),
}

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and a note; `x`, `y` are its upper left corner."""

    name: str
    title: str
    note: str
    kind: str
    row: float
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The x of its centre."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Arrow:
    """From box to box; `kind` is `path` (solid) or `share` (dashed)."""

    start: str
    end: str
    label: str = ""
    kind: str = "path"


def boxes_of(diagram: dict[str, Any]) -> dict[str, Box]:
    """The boxes of a diagram, by name."""
    (column, row), (width, height) = diagram["cell"], diagram["box"]
    found = {}
    for name, box in diagram["boxes"].items():
        across, down = box["at"]
        wide, high = box.get("size", (width, height))
        found[name] = Box(
            name=name,
            title=box.get("title", name),
            note=box.get("note", ""),
            kind=box["kind"],
            row=down,
            x=MARGIN + across * column,
            y=HEADER + down * row,
            width=wide,
            height=high,
        )
    return found


def arrows_of(diagram: dict[str, Any]) -> list[Arrow]:
    """The arrows of a diagram."""
    found = [Arrow(*item) for item in diagram.get("arrows", ())]
    for start, ends in diagram.get("imports", {}).items():
        found += [Arrow(start, end) for end in ends]
    for start, ends in diagram.get("shares", {}).items():
        found += [Arrow(start, end, kind="share") for end in ends]
    return found


def draw(diagram: dict[str, Any]) -> str:
    """The SVG of a diagram."""
    width, height = diagram["size"]
    boxes = boxes_of(diagram)
    arrows = arrows_of(diagram)
    body = [f'<rect class="page" width="{width}" height="{height}" rx="14"/>']
    body.append(f'<text class="heading" x="{MARGIN}" y="44">{escape(diagram["title"])}</text>')
    body += _legend(diagram.get("legend", ()))
    body += _bands(diagram.get("bands", ()), diagram["cell"])
    routes = _floors(boxes, arrows) if diagram["route"] == "floors" else _sides(boxes, arrows)
    for arrow, points in routes:
        body.append(_line(arrow, points, boxes[arrow.start].kind))
    for box in boxes.values():
        body += _box(box)
    body += [_label(arrow, points) for arrow, points in routes if arrow.label]
    for number, line in enumerate(reversed(diagram.get("footnote", ()))):
        y = height - 34 - 20 * number
        body.append(f'<text class="legend" x="{MARGIN}" y="{y}">{escape(line)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(diagram['title'])}</title>",
            f"<style>\n{_style()}\n</style>",
            *_markers(),
            *body,
            "</svg>\n",
        ]
    )


def _style() -> str:
    rules = [
        "text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; }",
        ".heading { font-size: 24px; font-weight: 650; }",
        ".title { font-size: 13px; font-weight: 650; text-anchor: middle; }",
        ".note, .legend, .label { font-size: 11.5px; }",
        ".note, .label { text-anchor: middle; }",
        ".band-title { font-size: 13px; font-weight: 650; letter-spacing: .04em; }",
        ".box { stroke-width: 1.5; }",
        ".arrow { fill: none; stroke-width: 1.5; stroke-opacity: .8; }",
        ".share { stroke-dasharray: 5 4; }",
        ".label { paint-order: stroke; stroke-width: 5px; stroke-linejoin: round; }",
    ]
    light: list[str] = []
    dark: list[str] = []
    for colours, page, ink, faint, band in (
        (light, "#ffffff", "#1f2328", "#57606a", "#f6f8fa"),
        (dark, "#0d1117", "#e6edf3", "#9aa5b4", "#161b22"),
    ):
        colours += [
            f".page {{ fill: {page}; }}",
            f".heading, .title {{ fill: {ink}; }}",
            f".note, .legend, .label, .band-title {{ fill: {faint}; }}",
            f".label {{ stroke: {page}; }}",
            f".band {{ fill: {band}; }}",
        ]
        for kind, (fill, line, dark_fill, dark_line) in KINDS.items():
            inside, outside = (fill, line) if colours is light else (dark_fill, dark_line)
            colours += [
                f".{kind}.box {{ fill: {inside}; stroke: {outside}; }}",
                f".{kind}.arrow {{ stroke: {outside}; }} .{kind}.head {{ fill: {outside}; }}",
            ]
    inner = "\n".join(f"  {rule}" for rule in dark)
    return "\n".join([*rules, *light, f"@media (prefers-color-scheme: dark) {{\n{inner}\n}}"])


def _markers() -> Iterator[str]:
    yield "<defs>"
    for kind in KINDS:
        yield (
            f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path class="{kind} head" d="M0 1 L10 5 L0 9 z"/>'
            "</marker>"
        )
    yield "</defs>"


def _legend(items: list[dict[str, str]]) -> Iterator[str]:
    x = float(MARGIN)
    for item in items:
        yield f'<rect class="{item["kind"]} box" x="{x:g}" y="62" width="16" height="16" rx="4"/>'
        yield f'<text class="legend" x="{x + 23:g}" y="74">{escape(item["text"])}</text>'
        x += 48 + 6.3 * len(item["text"])


def _bands(items: list[dict[str, Any]], cell: list[float]) -> Iterator[str]:
    for item in items:
        (left, top), (right, bottom) = item["from"], item["to"]
        x, y = MARGIN + left * cell[0], HEADER + top * cell[1]
        wide, high = (right - left) * cell[0], (bottom - top) * cell[1]
        yield (
            f'<rect class="band" x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="12"/>'
        )
        text_x = MARGIN + item["title_at"] * cell[0] if "title_at" in item else x + 14
        title = escape(item["title"])
        yield f'<text class="band-title" x="{text_x:g}" y="{y + 22:g}">{title}</text>'


def _box(box: Box) -> Iterator[str]:
    yield (
        f'<rect class="{box.kind} box" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" '
        f'height="{box.height:g}" rx="9"/>'
    )
    notes = [line for line in box.note.split("\n") if line]
    y = box.y + box.height / 2 + 5 - 8.5 * len(notes)
    title = box.title.removeprefix("include.")
    yield f'<text class="title" x="{box.middle:g}" y="{y:g}">{escape(title)}</text>'
    for number, line in enumerate(notes, start=1):
        yield f'<text class="note" x="{box.middle:g}" y="{y + 17 * number:g}">{escape(line)}</text>'


def _line(arrow: Arrow, points: list[Point], kind: str) -> str:
    """A smooth line: each piece leaves and arrives in the direction of travel."""
    share = " share" if arrow.kind == "share" else ""
    (x, y), path = points[0], []
    path.append(f"M{x:.1f} {y:.1f}")
    vertical = abs(points[-1][1] - points[0][1]) > 1
    for x2, y2 in points[1:]:
        if vertical and len(points) > 1 and abs(x2 - x) > 0.5:
            half = (y2 - y) / 2
            path.append(f"C{x:.1f} {y + half:.1f} {x2:.1f} {y2 - half:.1f} {x2:.1f} {y2:.1f}")
        else:
            path.append(f"L{x2:.1f} {y2:.1f}")
        x, y = x2, y2
    return f'<path class="{kind} arrow{share}" d="{" ".join(path)}" marker-end="url(#{kind})"/>'


def _label(arrow: Arrow, points: list[Point]) -> str:
    (x1, y1), (x2, y2) = points[0], points[-1]
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 + (-9 if y1 == y2 else 4)
    return f'<text class="label" x="{x:.1f}" y="{y:.1f}">{escape(arrow.label)}</text>'


def _sides(boxes: dict[str, Box], arrows: list[Arrow]) -> list[tuple[Arrow, list[Point]]]:
    """Straight lines: beside each other from side to side, else from top or bottom."""
    found = []
    for arrow in arrows:
        start, end = boxes[arrow.start], boxes[arrow.end]
        if start.row == end.row:
            y = start.y + start.height / 2
            right = start.x < end.x
            points = [
                (start.x + start.width if right else start.x, y),
                (end.x if right else end.x + end.width, y),
            ]
        else:
            down = start.y < end.y
            # Straight where the boxes overlap, so that narrow boxes point at wide ones.
            left, right_edge = max(start.x, end.x), min(start.x + start.width, end.x + end.width)
            same = left < right_edge
            x1 = (left + right_edge) / 2 if same else start.middle
            x2 = x1 if same else end.middle
            points = [
                (x1, start.y + start.height if down else start.y),
                (x2, end.y if down else end.y + end.height),
            ]
        found.append((arrow, points))
    return found


def _floors(boxes: dict[str, Box], arrows: list[Arrow]) -> list[tuple[Arrow, list[Point]]]:
    """Lines from floor to floor, through the gaps between the boxes of the floors they pass."""
    leaving, arriving = _ports(boxes, arrows)
    rows = sorted({box.row for box in boxes.values()})
    used: dict[float, list[float]] = defaultdict(list)
    found = []
    for arrow in sorted(arrows, key=lambda item: _span(boxes, item)):
        start, end = boxes[arrow.start], boxes[arrow.end]
        down = start.row < end.row
        x1, x2 = leaving[arrow], arriving[arrow]
        y1 = start.y + start.height if down else start.y
        y2 = end.y if down else end.y + end.height
        points, x = [(x1, y1)], x1
        between = [row for row in rows if min(start.row, end.row) < row < max(start.row, end.row)]
        for row in between if down else reversed(between):
            on_floor = [box for box in boxes.values() if box.row == row]
            top, high = on_floor[0].y, max(box.height for box in on_floor)
            x = _lane(on_floor, x2, x, used[row])
            ends = (top - 12, top + high + 12)
            points += [(x, ends[0]), (x, ends[1])] if down else [(x, ends[1]), (x, ends[0])]
        points.append((x2, y2))
        found.append((arrow, points))
    return found


def _span(boxes: dict[str, Box], arrow: Arrow) -> tuple[float, float]:
    start, end = boxes[arrow.start], boxes[arrow.end]
    return abs(end.row - start.row), start.x


def _ports(
    boxes: dict[str, Box], arrows: list[Arrow]
) -> tuple[dict[Arrow, float], dict[Arrow, float]]:
    """Where each arrow leaves and arrives: spread along the edge, in order of the other end."""
    sides: dict[tuple[str, str], list[tuple[float, Arrow, bool]]] = defaultdict(list)
    for arrow in arrows:
        start, end = boxes[arrow.start], boxes[arrow.end]
        down = start.row < end.row
        sides[start.name, "bottom" if down else "top"].append((end.middle, arrow, True))
        sides[end.name, "top" if down else "bottom"].append((start.middle, arrow, False))
    leaving: dict[Arrow, float] = {}
    arriving: dict[Arrow, float] = {}
    for (name, _), items in sides.items():
        items.sort(key=lambda item: (item[0], item[1].start, item[1].end))
        step = min(24.0, (boxes[name].width - 28) / max(1, len(items) - 1))
        for number, (_, arrow, leaves) in enumerate(items):
            x = boxes[name].middle + step * (number - (len(items) - 1) / 2)
            (leaving if leaves else arriving)[arrow] = x
    return leaving, arriving


def _lane(on_floor: list[Box], wanted: float, before: float, taken: list[float]) -> float:
    """A free x between a floor's boxes: nearest to `wanted`, of two the one nearer `before`."""
    nearer = 1 if before > wanted else -1
    for distance in range(0, 3000, 3):
        for x in (wanted + nearer * distance, wanted - nearer * distance):
            clear = all(
                x < box.x - CLEARANCE or x > box.x + box.width + CLEARANCE for box in on_floor
            )
            if clear and all(abs(x - other) >= LANE for other in taken) and x > 12:
                taken.append(x)
                return x
    raise ValueError("the boxes of a floor leave no way through")


def render(path: Path) -> str:
    """The SVG of one YAML file."""
    return draw(yaml.safe_load(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    for source in sorted(FOLDER.glob("*.yaml")):
        source.with_suffix(".svg").write_text(render(source), encoding="utf-8")
