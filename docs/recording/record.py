"""Record the commands of a page as an animated SVG: `make demo-recording`.

`python docs/recording/record.py PAGE SVG` runs the page's commands on the running platform of this
checkout, and draws them with what they print. The picture plays as fast as a reader reads, not as
slowly as a machine works. Who prefers no motion sees its end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLUMNS, ROWS = 100, 30
CHARACTER, LINE, MARGIN = 8.4, 19, 14
BEFORE_OUTPUT, PER_LINE, LONGEST_PAUSE, AT_THE_END = 1.2, 0.35, 6.0, 5.0
BLOCK = re.compile(
    r"^(?:## (?P<title>[^\n]+)|```sh(?P<fails> fails)?\n(?P<text>.*?)^```)$", re.M | re.S
)


@dataclass(frozen=True)
class Shown:
    """A line of the terminal, its kind, and the second in which it appears."""

    text: str
    kind: str
    at: float


class CommandFailed(Exception):
    """A command of the page ended otherwise than the page says."""


def record(page: str, environment: dict[str, str]) -> list[Shown]:
    """Run the commands of a page. Raises `CommandFailed` with what the command printed."""
    lines: list[Shown] = []
    now = 0.5
    for block in BLOCK.finditer(page):
        if block["title"]:
            lines += [Shown("", "output", now), Shown(f"# {block['title']}", "title", now)]
            now += 1.5
            continue
        for command in block["text"].splitlines():
            lines.append(Shown(f"$ {command}", "command", now))
            now += BEFORE_OUTPUT
            output = _output(command, environment, fails=bool(block["fails"]))
            lines += [Shown(text, "output", now) for text in output]
            now += min(LONGEST_PAUSE, 1 + PER_LINE * len(output))
    return [*lines, Shown("$", "command", now), Shown("", "output", now + AT_THE_END)]


def _output(command: str, environment: dict[str, str], *, fails: bool) -> list[str]:
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if (done.returncode != 0) is not fails:
        raise CommandFailed(f"{command}: exit code {done.returncode}.\n{done.stdout}")
    lines = done.stdout.rstrip().splitlines()
    return [part for line in lines for part in textwrap.wrap(line, COLUMNS, **_AS_IT_IS) or [""]]


_AS_IT_IS = {"drop_whitespace": False, "replace_whitespace": False, "break_on_hyphens": False}


def drawn(lines: list[Shown], title: str) -> str:
    """The SVG: all lines below each other, moved so that the newest is at the bottom."""
    seconds = lines[-1].at
    stops: dict[str, int] = {}
    for number, line in enumerate(lines):
        stops[f"{100 * line.at / seconds:.3f}"] = -(number + 1) * LINE
    frames = "".join(f"{at}%{{transform:translateY({y}px)}}" for at, y in stops.items())
    width, height = round(COLUMNS * CHARACTER + 2 * MARGIN), ROWS * LINE + 2 * MARGIN
    texts = "".join(
        f'<text class="{line.kind}" x="{MARGIN}" y="{(number + 1) * LINE}" xml:space="preserve">'
        f"{escape(line.text)}</text>\n"
        for number, line in enumerate(lines)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>{escape(title)}</title>
<style>
text {{ font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dde5; }}
.command {{ fill: #ffffff; font-weight: bold; }}
.title {{ fill: #8fd3a8; }}
@keyframes play {{ 0%{{transform:translateY(0px)}}{frames} }}
#lines {{ transform: translateY({-len(lines) * LINE}px); }}
@media (prefers-reduced-motion: no-preference) {{
#lines {{ animation: play {seconds:.1f}s step-end infinite; }}
}}
</style>
<clipPath id="screen">
<rect x="0" y="{MARGIN}" width="{width}" height="{ROWS * LINE + 6}"/>
</clipPath>
<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>
<g clip-path="url(#screen)"><g transform="translate(0 {ROWS * LINE + MARGIN})"><g id="lines">
{texts}</g></g></g>
</svg>
"""


def main(page: Path, target: Path) -> None:
    """Record the page. Raises as `record` does."""
    text = page.read_text(encoding="utf-8")
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    lines = record(text, os.environ | {"PATH": path, "COLUMNS": str(COLUMNS), "NO_COLOR": "1"})
    heading = text.partition("\n")[0].removeprefix("# ")
    target.write_text(drawn(lines, f"{heading}: commands in a terminal"), encoding="utf-8")
    sys.stdout.write(f"Wrote {target}: {lines[-1].at:.0f} s\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python docs/recording/record.py PAGE SVG")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except CommandFailed as error:
        sys.exit(str(error))
