"""Build the site of the documentation: `python docs/site/build.py FOLDER`, or `make docs`.

The pages are those of `docs/` and the README. A file or folder of the repository that they link
to becomes a page, so that every link works offline. A link to nothing is an error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
# Pages by section, in their order. A folder stands for its pages, by name.
SECTIONS = {
    "Handbook": ["handbook"],
    "Tutorials": ["adding-a-dataset.md", "changing-a-dataset.md", "tutorials", "demo.md"],
    "Reference": [
        "data-dictionary.md",
        "architecture.md",
        "contract-reference.md",
        "contract-recipes.md",
        "databases.md",
        "developing-models.md",
        "dashboard.md",
        "open-data.md",
        "serving.md",
        "api.md",
        "lineage.md",
        "portal.md",
        "promises.md",
        "performance.md",
        "performance-api.md",
        "reliability.md",
        "security.md",
    ],
    "Operations": ["runbook.md", "deploy.md", "containers.md", "kubernetes.md"],
    "Decisions": ["decisions"],
}
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")
# The site asks no other host, so it has no badges.
BADGE = re.compile(r"^\[!\[[^\]]*\]\(\.\./\.\./actions/[^)]*\)\]\([^)]*\)\n", re.MULTILINE)
FENCE = re.compile(r"^ *```", re.MULTILINE)
# Zensical leaves `<name>` out of a heading's address, GitHub does not.
TAG_IN_HEADING = re.compile(r"^#+ (?P<title>.*<.*)$", re.MULTILINE)
ITEM = re.compile(r" *(?:[-*]|\d+\.) ")
EMPTY_HEADER = re.compile(r"<th[^>]*></th>")
# A section with a page of its own is labelled by its arrow, which has no text.
SECTION = re.compile(
    r'aria-labelledby="__nav_\d+_label"(?P<rest>[^>]*>\s*'
    r'<label class="md-nav__title"[^>]*>\s*<span[^>]*></span>)(?P<title>[^<]*)'
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LANGUAGES = {
    ".py": "python",
    ".sh": "sh",
    ".sql": "sql",
    ".tf": "terraform",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
}


class BrokenDocs(Exception):
    """What is wrong with a page, and where."""


def pages_of(section: list[str]) -> list[Path]:
    """The pages of a section, in their order; those that are not written yet are left out."""
    found: list[Path] = []
    for name in section:
        path = DOCS / name
        if path.is_dir():
            found += sorted(path.glob("*.md"), key=lambda page: (page.stem != "index", page))
        elif path.exists():
            found.append(path)
    return found


def navigation() -> dict[str, list[Path]]:
    """The sections with their pages. Raises `BrokenDocs` if a page is in none."""
    found = {title: pages for title, names in SECTIONS.items() if (pages := pages_of(names))}
    missing = {*DOCS.rglob("*.md")} - {page for pages in found.values() for page in pages}
    if missing:
        names = ", ".join(sorted(str(page.relative_to(CHECKOUT)) for page in missing))
        raise BrokenDocs(f"docs/site/build.py: in no section: {names}. Add them to SECTIONS.")
    return found


def place(path: Path) -> str:
    """The page that shows a file or folder, relative to the site."""
    if path == CHECKOUT / "README.md":
        return "index.md"
    if path.is_relative_to(DOCS) and path.suffix in (".md", ".png", ".svg"):
        return path.relative_to(DOCS).as_posix()
    # Zensical leaves out what is hidden, such as .github.
    shown = "/".join(part.lstrip(".") for part in path.relative_to(CHECKOUT).parts)
    return f"code/{shown}" if path.suffix == ".md" else f"code/{shown}.md"


class Stage:
    """A folder with everything that the site is built from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[Path] = []
        self._done: set[Path] = set()

    def add(self, path: Path) -> None:
        """Add a file or folder, and all that it links to. Raises `BrokenDocs`."""
        self._waiting.append(path)
        while self._waiting:
            path = self._waiting.pop()
            if path in self._done:
                continue
            self._done.add(path)
            target = self._folder / place(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".png", ".svg"):
                shutil.copy(path, target)
            elif path.suffix == ".md":
                target.write_text(self._page(path), encoding="utf-8")
            else:
                target.write_text(shown(path), encoding="utf-8")

    def _page(self, path: Path) -> str:
        text = BADGE.sub("", path.read_text(encoding="utf-8"))
        parts = []
        for is_code, part in split(text):
            if not is_code:
                part = LINK.sub(lambda link: self._link(path, link), spaced(part))
                part = TAG_IN_HEADING.sub(with_address, part)
            parts.append(part)
        return "".join(parts)

    def _link(self, page: Path, link: re.Match[str]) -> str:
        path = Path(os.path.normpath(page.parent / link["path"]))
        if not path.exists() or not path.is_relative_to(CHECKOUT):
            where = page.relative_to(CHECKOUT)
            raise BrokenDocs(f"{where}: links to {link['path']}, which does not exist.")
        self._waiting.append(path)
        to = os.path.relpath(place(path), Path(place(page)).parent)
        return to + (link["anchor"] or "" if path.suffix == ".md" else "")


def split(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a page: whether it is a code block, and its text."""
    part: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if not FENCE.match(line):
            part.append(line)
        elif inside:
            yield True, "".join([*part, line])
            part, inside = [], False
        else:
            yield False, "".join(part)
            # One word after the fence: others are for the tests that run the page.
            part, inside = [line.split(" ")[0].rstrip() + "\n" if line[0] == "`" else line], True
    yield inside, "".join(part)


def spaced(text: str) -> str:
    """The text with a blank line above each list, which GitHub does without."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        before = lines[-1] if lines else ""
        if ITEM.match(line) and before.strip() and not ITEM.match(before) and before[0] != " ":
            lines.append("\n")
        lines.append(line)
    return "".join(lines)


def with_address(heading: re.Match[str]) -> str:
    """The heading with the address that GitHub gives it."""
    address = re.sub(r"[^\w -]", "", heading["title"].lower()).replace(" ", "-")
    return f"{heading[0]} {{#{address}}}"


def shown(path: Path) -> str:
    """A page that shows a file, or lists what is in a folder."""
    title = f"# {path.relative_to(CHECKOUT).as_posix()}\n\n"
    if path.is_dir():
        names = sorted(item.name + "/" * item.is_dir() for item in path.iterdir())
        return title + "".join(f"- `{name}`\n" for name in names if name != "__pycache__/")
    text = path.read_text(encoding="utf-8")
    return f"{title}~~~~~~~~ {LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n~~~~~~~~\n"


def accessible(html: str) -> str:
    """A page whose sections have names, and whose cells without text head nothing."""
    html = EMPTY_HEADER.sub("<td></td>", html)
    return SECTION.sub(
        lambda found: f'aria-label="{found["title"].strip()}"{found["rest"]}{found["title"]}', html
    )


def build(target: Path) -> None:
    """Build the site into a folder, which it replaces. Raises `BrokenDocs`."""
    sections = navigation()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stage = Stage(folder / "docs")
        for page in [
            CHECKOUT / "README.md",
            *(page for pages in sections.values() for page in pages),
        ]:
            stage.add(page)
        for name in ("site.css", "site.js"):
            shutil.copy(Path(__file__).parent / name, folder / "docs")
        entries = ['{"Wandle" = "index.md"}']
        for title, pages in sections.items():
            entries.append(
                f"{{{json.dumps(title)} = {json.dumps([place(page) for page in pages])}}}"
            )
        settings = (Path(__file__).parent / "zensical.toml").read_text(encoding="utf-8")
        settings = settings.replace("[project]\n", f"[project]\nnav = [{', '.join(entries)}]\n", 1)
        (folder / "zensical.toml").write_text(settings, encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
        if done.returncode or not (folder / "site" / "index.html").exists():
            said, _, error = COLOUR.sub("", done.stdout + done.stderr).partition("Traceback")
            raise BrokenDocs(
                f"docs: the site cannot be built.\n{said}{' '.join(error.splitlines()[-1:])}"
            )
        for page in (folder / "site").rglob("*.html"):
            page.write_text(accessible(page.read_text("utf-8")), "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "site", target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/site/build.py FOLDER")
    try:
        build(Path(sys.argv[1]))
    except BrokenDocs as error:
        sys.exit(str(error))
    sys.stdout.write(f"{Path(sys.argv[1], 'index.html')}: built\n")
