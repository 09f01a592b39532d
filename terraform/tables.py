"""Write the tables of inputs and outputs into each folder's README, from its own files.

python terraform/tables.py          rewrite them
python terraform/tables.py --check  fail where one is not what the files say
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import hcl2

TERRAFORM = Path(__file__).parent
BEGIN, END = "<!-- tables: made by `make terraform-docs` -->", "<!-- end of tables -->"


def folders() -> list[Path]:
    """Every folder that is planned or called: those with a versions.tf."""
    return sorted(
        file.parent for file in TERRAFORM.rglob("versions.tf") if ".terraform" not in file.parts
    )


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The blocks of one kind (`variable`, `output`) of a folder, by name."""
    found = {}
    for file in sorted(folder.glob("*.tf")):
        for block in hcl2.loads(file.read_text()).get(kind, []):
            for name, body in block.items():
                found[_plain(name)] = body
    return found


def _plain(value: Any) -> str:
    """A value as one writes it: without the quotes and `${}` that the parser leaves."""
    text = str(value)
    while True:
        inner = re.fullmatch(r'"(.*)"|\$\{(.*)\}', text, re.DOTALL)
        if not inner:
            return re.sub(r"\s+", " ", text).strip()
        text = inner[1] if inner[1] is not None else inner[2]


def _default(body: dict[str, Any]) -> str:
    if "default" not in body:
        return "**required**"
    value = body["default"]
    return (
        "`"
        + {"None": "null", "True": "true", "False": "false"}.get(str(value), _plain(value) or '""')
        + "`"
    )


def tables(folder: Path) -> str:
    """Both tables, in Markdown."""
    lines = ["| variable | what | type | default |", "|---|---|---|---|"]
    for name, body in blocks(folder, "variable").items():
        kind = _plain(body["type"]).replace("|", "\\|")
        lines.append(f"| `{name}` | {_plain(body['description'])} | `{kind}` | {_default(body)} |")
    lines += ["", "| output | what |", "|---|---|"]
    for name, body in blocks(folder, "output").items():
        lines.append(f"| `{name}` | {_plain(body['description'])} |")
    return "\n".join(lines)


def written(folder: Path) -> str:
    """The folder's README with the tables as they should be."""
    text = (folder / "README.md").read_text()
    before, found, rest = text.partition(BEGIN)
    if not found or END not in rest:
        sys.exit(
            f"{folder / 'README.md'}: the lines {BEGIN!r} and {END!r} are missing: put them in."
        )
    return f"{before}{BEGIN}\n\n{tables(folder)}\n\n{END}{rest.partition(END)[2]}"


def stale() -> list[Path]:
    """The READMEs whose tables are not what the files say."""
    return [
        folder / "README.md"
        for folder in folders()
        if (folder / "README.md").read_text() != written(folder)
    ]


def main() -> None:
    """Rewrite."""
    for folder in folders():
        (folder / "README.md").write_text(written(folder))


if __name__ == "__main__":
    main()
