"""Nothing is unused: what a module or a class defines is used somewhere."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
ROOTS = ("include", "sandbox", "dags", "plugins", "config", "docs", "terraform")
SUFFIXES = {".py", ".html", ".toml", ".yaml", ".yml", ".sql", ".tf", ".sh"}

# What Airflow and Flask AppBuilder find by its name or its base class.
REGISTERED = re.compile(
    r"config/webserver_config\.py: WTF_\w+|plugins/\w+\.py: (\w+Plugin|__getattr__)"
)


def modules(root: Path) -> list[Path]:
    return sorted(path for folder in ROOTS for path in (root / folder).rglob("*.py"))


def words(root: Path) -> Counter[str]:
    """How often each name is written in the code, its templates, settings and tests."""
    found: Counter[str] = Counter()
    for folder in (*ROOTS, "tests", "dbt_project", ".github", "."):
        tree = (root / folder).glob("*") if folder == "." else (root / folder).rglob("*")
        for path in tree:
            if path.suffix in SUFFIXES or path.name in {"Dockerfile", "Makefile"}:
                found.update(re.findall(r"[A-Za-z_]\w*", path.read_text(encoding="utf-8")))
    return found


def names(body: list[ast.stmt]) -> Iterator[str]:
    """What the module defines itself, but for what a decorator registers."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.decorator_list or isinstance(node, ast.ClassDef):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))


def unused(root: Path) -> list[str]:
    written = words(root)
    return [
        f"{path.relative_to(root)}: {name}"
        for path in modules(root)
        for name in names(ast.parse(path.read_text(encoding="utf-8")).body)
        if written[name] == 1
    ]


def test_every_name_of_a_module_is_used():
    found = unused(CHECKOUT)

    assert len(modules(CHECKOUT)) > 500
    assert [one for one in found if not REGISTERED.fullmatch(one)] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("LIMIT = 3\n", ["include/a.py: LIMIT"]),
        ("LIMIT: int = 3\nMOST = LIMIT\n", ["include/a.py: MOST"]),
        ("def work(): ...\n", ["include/a.py: work"]),
        ("class Thing: ...\nThing()\n", []),
        ("@commands.command()\ndef up(): ...\n", []),
    ],
)
def test_a_name_that_is_written_once_is_found(code, found, tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "a.py").write_text(code, encoding="utf-8")

    assert unused(tmp_path) == found
