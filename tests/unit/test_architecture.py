"""docs/architecture.md against the code: packages, imports, diagrams, and the files it names."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
ARCHITECTURE = CHECKOUT / "docs" / "architecture.md"
DIAGRAMS = CHECKOUT / "docs" / "diagrams"
ROOTS = ("include", "sandbox", "dags", "plugins", "config")
# Python that is not of the pipeline: nothing of `ROOTS` imports it.
OUTSIDE = ("docs", "template", "terraform", "tests")
# Imports modules by name, before the first task; its names are in the diagram's arrows.
BY_NAME = CHECKOUT / "plugins" / "preload.py"
QUESTION = re.compile(r"^\| (.+\?) \| (.+) \|$", re.M)

Import = tuple[str, str, str]  # room, imported room, and where


@cache
def rooms() -> dict[str, Any]:
    return yaml.safe_load((DIAGRAMS / "rooms.yaml").read_text(encoding="utf-8"))


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the tree by its dotted name; a package by its own."""
    paths = [path for root in ROOTS for path in sorted((CHECKOUT / root).rglob("*.py"))]
    found = {}
    for path in paths:
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        found[".".join(parts[:-1] if path.stem == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    """The package of a module. The modules of `include` itself are rooms of their own."""
    path = modules()[module]
    package = ".".join(path.relative_to(CHECKOUT).parent.parts)
    return module if package == "include" else package


def every_room() -> set[str]:
    return {room_of(name) for name in modules()} - {"include"}


def imports() -> Iterator[Import]:
    """Every import between rooms, also those inside functions."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [m if m in modules() else str(node.module) for m in members]
            else:
                continue
            for target in targets:
                assert target.partition(".")[0] not in OUTSIDE, f"{path}: imports {target}"
                if target in modules() and room_of(target) != room_of(name):
                    where = f"{path.relative_to(CHECKOUT)}:{node.lineno}"
                    yield room_of(name), room_of(target), where


def imported_by_name(path: Path) -> list[int]:
    """The lines that import a module without an `import` statement, which `imports` cannot see."""
    names = {"__import__", "import_module", "run_module", "run_path", "spec_from_file_location"}
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            used = {ast.unparse(node.func).rpartition(".")[2]}
        elif isinstance(node, ast.ImportFrom):  # under another name
            used = {alias.name for alias in node.names if alias.asname}
        else:
            continue
        if used & names:
            lines.append(node.lineno)
    return lines


def reachable(room: str, arrows: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [room]
    while waiting:
        for end in arrows.get(waiting.pop(), ()):
            if end not in found:
                found.add(end)
                waiting.append(end)
    return found


def against_the_arrows(found: Iterator[Import] | list[Import], diagram: Any) -> list[str]:
    return sorted(
        f"{where}: {room} may not import {target}"
        for room, target, where in found
        if target not in reachable(room, diagram["imports"])
        and target not in diagram["shares"].get(room, ())
    )


def unused_arrows(found: list[Import], diagram: Any) -> list[str]:
    used = {(room, target) for room, target, _ in found}
    drawn = [
        (start, end)
        for arrows in (diagram["imports"], diagram["shares"])
        for start, ends in arrows.items()
        for end in ends
    ]
    return [f"{start} -> {end}" for start, end in drawn if (start, end) not in used]


@cache
def drawing() -> Any:
    spec = importlib.util.spec_from_file_location("draw_diagrams", DIAGRAMS / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def stale(source: Path, drawn: str) -> bool:
    return drawn != drawing().render(source)


def missing_files(text: str) -> list[str]:
    """The files of the table that do not exist. A bare name is next to the path before it."""
    missing = []
    for question, answer in QUESTION.findall(text):
        names = re.findall("`([^`]+)`", answer)
        assert "/" in names[0], question
        folder = CHECKOUT
        for name in names:
            found = [path for path in (folder / name, CHECKOUT / name) if path.exists()]
            if found:
                folder = found[0].parent
            else:
                missing.append(name)
    return missing


def test_every_package_is_in_the_diagram_and_nothing_else():
    assert len(every_room()) >= 60
    assert every_room() == set(rooms()["boxes"])


def test_every_folder_with_python_is_in_the_diagram_or_outside_of_the_pipeline():
    command = ("git", "ls-files", "*/*.py")
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)

    assert {path.partition("/")[0] for path in listed.stdout.split()} == {*ROOTS, *OUTSIDE}


def test_no_module_is_imported_by_its_name():
    found = {path: imported_by_name(path) for path in modules().values()}

    assert found.pop(BY_NAME)
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        'importlib.import_module("include.cli")',
        'def f(): return import_module("include." + name)',
        '__import__("include.cli")',
        'importlib.util.spec_from_file_location("cli", path)',
        'runpy.run_module("include.cli")',
        "from importlib import import_module as load",
    ],
)
def test_an_import_by_name_is_found(line, tmp_path):
    (tmp_path / "module.py").write_text(f"import importlib\n{line}\n", encoding="utf-8")

    assert imported_by_name(tmp_path / "module.py") == [2]


def test_every_import_follows_the_arrows():
    found = list(imports())

    assert len(found) >= 300
    assert against_the_arrows(found, rooms()) == []


def test_every_arrow_is_used_by_an_import():
    assert unused_arrows(list(imports()), rooms()) == []


@pytest.mark.parametrize(
    ("room", "target"),
    [
        ("include.extract", "include.warehouse"),
        ("include.warehouse.columns", "include.warehouse.books"),
        ("include.landing", "include.settings"),
        ("include.jobs.pipeline", "include.cli"),
        ("include.jobs", "sandbox"),
        ("plugins", "dags"),
        # Shared with its subpackage, but nothing beyond.
        ("include.local.services", "include.local.demo"),
    ],
)
def test_an_import_against_the_arrows_is_named(room, target):
    assert against_the_arrows([(room, target, "x.py:1")], rooms()) == [
        f"x.py:1: {room} may not import {target}"
    ]


def test_an_arrow_that_no_import_uses_is_named():
    diagram = {"imports": {"include.landing": ["include.councils"]}, "shares": {}}

    assert unused_arrows(list(imports()), diagram) == ["include.landing -> include.councils"]


def test_the_arrows_form_no_cycle():
    arrows = rooms()["imports"]

    assert [room for room in arrows if room in reachable(room, arrows)] == []


@pytest.mark.parametrize("name", ["flow", "rooms"])
def test_a_diagram_is_drawn_from_its_source(name):
    drawn = (DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8")

    assert not stale(DIAGRAMS / f"{name}.yaml", drawn), "Run `make diagrams`."


def test_a_stale_diagram_is_noticed(tmp_path):
    source = tmp_path / "flow.yaml"
    text = (DIAGRAMS / "flow.yaml").read_text(encoding="utf-8")
    source.write_text(text.replace("rejected records", "bad records"), encoding="utf-8")

    assert stale(source, (DIAGRAMS / "flow.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["flow", "rooms"])
def test_a_diagram_has_its_boxes_inside_and_apart(name):
    diagram = yaml.safe_load((DIAGRAMS / f"{name}.yaml").read_text(encoding="utf-8"))
    boxes = list(drawing().boxes_of(diagram).values())
    width, height = diagram["size"]

    for number, box in enumerate(boxes):
        assert 0 <= box.x <= width - box.width, box.name
        assert 0 <= box.y <= height - box.height, box.name
        for other in boxes[number + 1 :]:
            apart = box.x + box.width < other.x or other.x + other.width < box.x
            apart |= box.y + box.height < other.y or other.y + other.height < box.y
            assert apart, (box.name, other.name)


def test_every_question_has_a_file_that_exists():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    questions = [question for question, _ in QUESTION.findall(text)]

    # Every row but the header is a question.
    assert len(questions) == len(re.findall(r"^\| ", text, re.M)) - 1 >= 170
    assert len(set(questions)) == len(questions)
    assert missing_files(text) == []


def test_a_question_whose_file_is_gone_is_named():
    row = "| Where is it? | `include/nowhere.py`, then `gone.py` and `include/s3.py` |\n"

    assert missing_files(row) == ["include/nowhere.py", "gone.py"]
    row = "| Where is it? | `include/api/store.py`, `version.py`, `fold.py` |\n"
    assert missing_files(row) == ["fold.py"]


def test_the_page_shows_both_diagrams_and_the_readme_links_it():
    text = ARCHITECTURE.read_text(encoding="utf-8")

    assert "](diagrams/flow.svg)" in text
    assert "](diagrams/rooms.svg)" in text
    assert "](docs/architecture.md)" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
