"""A name has one address: it is imported from the module that defines it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

CHECKOUT = Path(__file__).parents[2]
ROOTS = ("include", "sandbox", "dags", "plugins", "config")


def trees(root: Path, folders: tuple[str, ...]) -> dict[str, ast.Module]:
    """Every module by its dotted name; a package by its own."""
    found = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if path.stem == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def defined(tree: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)} | {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def imports(tree: ast.Module) -> Iterator[tuple[int, ast.ImportFrom]]:
    """Each import of names, also in code within a string, which runs in another process."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, node
        elif isinstance(node, ast.Constant) and " import " in str(node.value):
            with suppress(SyntaxError):
                inner = ast.parse(dedent(str(node.value)))
                yield from ((node.lineno, found) for _, found in imports(inner))


def passed_on(code: Mapping[str, ast.Module], users: Mapping[str, ast.Module]) -> list[str]:
    """The names of `code` that somebody imports from a module that only imports them itself."""
    known = {name: defined(tree) for name, tree in code.items()}
    found = []
    for user, tree in users.items():
        for line, node in imports(tree):
            for alias in node.names if node.module in code else ():
                name = f"{node.module}.{alias.name}"
                if name not in code and alias.name not in known[node.module]:
                    found.append(f"{user}:{line}: {name}")
    return found


def listed(code: Mapping[str, ast.Module]) -> list[str]:
    """The names in an `__all__` that its module does not define."""
    return [
        f"{name}.{one}"
        for name, tree in code.items()
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for one in ast.literal_eval(node.value)
        if one not in defined(tree)
    ]


def test_a_name_is_imported_from_the_module_that_defines_it():
    code = trees(CHECKOUT, ROOTS)
    users = code | trees(CHECKOUT, ("tests", "docs"))

    assert len(users) > 900
    assert passed_on(code, users) == []


def test_no_module_offers_a_name_of_another():
    assert listed(trees(CHECKOUT, ROOTS)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from pkg.b import Thing", ["pkg.user:1: pkg.b.Thing"]),
        ("def f():\n    from pkg.b import Thing as Other", ["pkg.user:2: pkg.b.Thing"]),
        (
            'CODE = """\\\n    from pkg.b import Thing\n    Thing()\n"""',
            ["pkg.user:1: pkg.b.Thing"],
        ),
        ('"""Who asks from us to import it: nothing."""', []),
        ("from pkg.a import Thing", []),
        ("from pkg import a", []),
    ],
)
def test_a_second_address_is_found(line, found, tmp_path):
    (tmp_path / "pkg").mkdir()
    for name, text in {
        "__init__.py": "",
        "a.py": "class Thing: ...\n",
        "b.py": "from pkg.a import Thing\n__all__ = ['Thing']\n",
        "user.py": line,
    }.items():
        (tmp_path / "pkg" / name).write_text(text, encoding="utf-8")
    code = trees(tmp_path, ("pkg",))

    assert passed_on(code, code) == found
    assert listed(code) == ["pkg.b.Thing"]
