"""The engine knows shapes, not sources: no code names one."""

from __future__ import annotations

import re
from pathlib import Path

from include.sources.model import every_contract

CHECKOUT = Path(__file__).parents[2]
MARTS = {path.stem for path in (CHECKOUT / "dbt_project/models/marts").glob("*.sql")}
SITE = CHECKOUT / "include/publish/site"
CODE = sorted([*(CHECKOUT / "include").rglob("*.py"), *(CHECKOUT / "dags").rglob("*.py")])


def without_marts(text: str) -> str:
    """The text of a page's code; it shows marts, whose names may hold that of their source."""
    return re.sub("|".join(sorted(MARTS, key=len, reverse=True)), "", text)


def lines_that_name(text: str, names: list[str]) -> list[tuple[int, str]]:
    """Each line's number with the source that it names, as a word or as part of another."""
    return [
        (number, name)
        for number, line in enumerate(text.lower().splitlines(), start=1)
        for name in names
        if name in line
    ]


def test_nothing_below_include_or_dags_names_a_source():
    names = list(every_contract())
    assert len(names) >= 7
    assert len(CODE) > 80

    texts = {path: path.read_text(encoding="utf-8") for path in CODE}
    found = [
        f"{path.relative_to(CHECKOUT)}:{number} names {name}"
        for path, text in texts.items()
        for number, name in lines_that_name(
            without_marts(text) if path.is_relative_to(SITE) else text, names
        )
    ]

    assert found == [], "What a source needs belongs in its contract, include/sources/*.yaml."


def test_a_name_is_found_wherever_it_is():
    text = 'a = 1\nif contract.name == "river_levels":\n    RIVER_LEVELS_LIMIT = 3\n'

    assert lines_that_name(text, ["river_levels", "rain"]) == [
        (2, "river_levels"),
        (3, "river_levels"),
    ]
