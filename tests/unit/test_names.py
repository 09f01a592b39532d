"""The engine knows shapes, not sources: no code names one."""

from __future__ import annotations

from pathlib import Path

from include.sources.model import every_contract

CHECKOUT = Path(__file__).parents[2]
MARTS = {path.stem for path in (CHECKOUT / "dbt_project/models/marts").glob("*.sql")}
SITE = CHECKOUT / "include/publish/site"
CODE = sorted([*(CHECKOUT / "include").rglob("*.py"), *(CHECKOUT / "dags").rglob("*.py")])


def lines_that_name(text: str, names: list[str]) -> list[tuple[int, str]]:
    """Each line's number with the source that it names, alone or as part of another word."""
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

    found = [
        f"{path.relative_to(CHECKOUT)}:{number} names {name}"
        for path in CODE
        for number, name in lines_that_name(path.read_text(encoding="utf-8"), names)
        # The pages show marts; one may have the name of the source that it is made of.
        if not (path.is_relative_to(SITE) and name in MARTS)
    ]

    assert found == [], "What a source needs belongs in its contract, include/sources/*.yaml."


def test_a_name_is_found_wherever_it_is():
    text = 'a = 1\nif contract.name == "river_levels":\n    RIVER_LEVELS_LIMIT = 3\n'

    assert lines_that_name(text, ["river_levels", "rain"]) == [
        (2, "river_levels"),
        (3, "river_levels"),
    ]
