"""A line of numbers, drawn as SVG without style."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 132, 30, 3


def sparkline(values: Sequence[float | None], label: str) -> Markup:
    """The values from left to right, from zero up; a gap where there is none. Empty if all are."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    top = max(known) or 1
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    points = [
        None
        if value is None
        else (EDGE + step * n, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top)
        for n, value in enumerate(values)
    ]
    drawn = [_stretch(stretch) for stretch in _stretches(points)]
    last = next(point for point in reversed(points) if point is not None)
    drawn.append(Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(*last))
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT, label, Markup("").join(drawn))


def _stretches(
    points: Sequence[tuple[float, float] | None],
) -> list[list[tuple[float, float]]]:
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [stretch for stretch in found if stretch]


def _stretch(points: Sequence[tuple[float, float]]) -> Markup:
    if len(points) == 1:
        return Markup('<circle class="alone" cx="{:.1f}" cy="{:.1f}" r="1.8"/>').format(*points[0])
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    base = HEIGHT - EDGE
    area = f"{points[0][0]:.1f},{base} {line} {points[-1][0]:.1f},{base}"
    return Markup('<polygon class="area" points="{}"/><polyline class="line" points="{}"/>').format(
        area, line
    )
