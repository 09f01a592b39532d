"""House rules of the tree: how much one folder, one module and one function may hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
ROOTS = ("include", "sandbox", "dags", "plugins", "config", "docs", "terraform", "template")
# What is written by hand besides Python: pages, styles, scripts, queries.
TEXTS = {".py", ".js", ".css", ".html", ".sql"}

MOST_MODULES = 15
MOST_LINES = 350
MOST_FUNCTION_LINES = 60


def modules(root: Path) -> list[Path]:
    return sorted(root.rglob("*.py"))


def full_folders(root: Path) -> list[str]:
    """Folders with more modules than a reader can take in; `__init__.py` does not count."""
    found = []
    for folder in {path.parent for path in modules(root)}:
        names = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        if len(names) > MOST_MODULES:
            found.append(f"{folder.relative_to(root.parent)}: {len(names)} modules")
    return sorted(found)


def long_modules(root: Path) -> list[str]:
    texts = sorted(path for path in root.rglob("*") if path.suffix in TEXTS)
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in texts}
    return [
        f"{path.relative_to(root.parent)}: {count} lines"
        for path, count in counts.items()
        if count > MOST_LINES
    ]


def long_functions(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root.parent)}: {name} has {count} lines"
        for path in modules(root)
        for name, count in _functions(path)
        if count > MOST_FUNCTION_LINES
    ]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            assert node.end_lineno is not None
            yield getattr(node, "name", "lambda"), node.end_lineno - node.lineno + 1


RULES = (full_folders, long_modules, long_functions)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("root", ROOTS)
def test_the_tree_follows_the_rules(root, rule):
    assert modules(CHECKOUT / root), f"{root}/ holds no module"
    assert rule(CHECKOUT / root) == []


@pytest.mark.parametrize(
    ("files", "rule", "found"),
    [
        ({f"m{number}.py": "" for number in range(16)}, full_folders, "pkg: 16 modules"),
        ({"a.py": "x = 1\n" * 351}, long_modules, "pkg/a.py: 351 lines"),
        ({"a.html": "<p>\n" * 351}, long_modules, "pkg/a.html: 351 lines"),
        (
            {"a.py": "f = lambda: (\n" + "    1,\n" * 60 + ")\n"},
            long_functions,
            "pkg/a.py: lambda has 62 lines",
        ),
        ({"a.py": "def f():\n" + "    x = 1\n" * 60}, long_functions, "pkg/a.py: f has 61 lines"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_breaks_a_rule_is_found(tmp_path, files, rule, found):
    folder = tmp_path / "pkg"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)

    assert rule(folder) == [found]


def test_the_folders_of_unit_tests_mirror_the_packages():
    unit = CHECKOUT / "tests" / "unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}

    assert len(folders) > 40
    assert [
        str(folder)
        for folder in folders
        if not ((CHECKOUT / "include" / folder).is_dir() or (CHECKOUT / folder).is_dir())
    ] == []


def test_no_test_looks_for_the_recorded_payloads_itself():
    files = [*(CHECKOUT / "tests").rglob("test_*.py"), *(CHECKOUT / "tests").rglob("conftest.py")]
    beside = re.compile(r"[s]hared. / .payloads")

    assert [str(path) for path in files if beside.search(path.read_text(encoding="utf-8"))] == []


def test_every_folder_of_tests_is_a_package():
    # Otherwise pytest refuses two test modules of one name in one run, as `make test` is.
    folders = {path.parent for path in (CHECKOUT / "tests").rglob("test_*.py")}

    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
