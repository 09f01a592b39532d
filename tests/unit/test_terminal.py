"""What commands print: tables and messages fit the terminal, and what is copied stays whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from include import terminal
from include.local.tables import print_ledger
from include.terminal import print_table, say, wrapped

NAME = "police_ward_boundaries_of_outer_london_boroughs"
COMMAND = "`wandle reload police_street_crime --council sutton --period 2017-05 --force`"


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def printed(request, monkeypatch):
    """What is printed on a terminal of 80 columns, or to a pipe."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=request.param, color_system=None)
    monkeypatch.setattr(terminal, "console", console)
    return out


def entry(**changes: object) -> dict[str, object]:
    return {
        "source": "police_ward_boundaries", "council": "kingston", "period": "2026-11-26",
        "status": "not_published", "records": 1_234_567, "loaded": 1_234_567, "quarantined": 0,
        "duplicates": 0, "step": "load", "error": None,
    } | changes  # fmt: skip


def test_the_ledger_fits_80_columns(printed):
    error = f"gauges sutton 2017-05: expected records. If it is correct: {COMMAND}, or else wait."
    print_ledger([entry(), entry(status="failed", quarantined=3, duplicates=1, error=error)])

    lines = printed.getvalue().splitlines()
    assert [line for line in lines if len(line) > 80 and COMMAND not in line] == []
    text = " ".join(printed.getvalue().split())
    assert "3 quarantined, 1 duplicate" in text
    assert "load failed: kingston 2026-11-26 gauges sutton 2017-05: expected records." in text
    assert COMMAND in printed.getvalue()


def test_a_name_is_never_cut_however_narrow_the_terminal(printed):
    print_table(("source", "landing"), [[NAME, NAME]], notes=[f"s3://wandle/landing/{NAME * 3}"])

    assert printed.getvalue().count(NAME) == 5
    assert "…" not in printed.getvalue()


def test_columns_line_up_below_their_names(printed):
    print_table(("name", "rows"), [["a", 1], ["bcdef", None], ["g", 1000]], right=["rows"])

    lines = printed.getvalue().splitlines()
    assert lines == ["name   rows", "a         1", "bcdef", "g      1000"]


def test_a_message_is_broken_between_words_on_a_terminal_and_stays_one_line_in_a_pipe(
    printed,
):
    say(f"police_street_crime sutton 2017-05: the rows have another hash. Next: {COMMAND}")

    printed_on_a_terminal = terminal.console.is_terminal
    lines = printed.getvalue().splitlines()
    assert any(COMMAND in line for line in lines)
    assert len(lines) == (2 if printed_on_a_terminal else 1)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("object     s3://a", ["object     s3://a"]),
        ("one two three four", ["one two", "  three", "  four"]),
        ("a `wandle up now` b", ["a", "  `wandle up now`", "  b"]),
        ("first\n  second line", ["first", "  second", "    line"]),
    ],
)
def test_text_is_broken_between_words_and_commands_stay_whole(text, lines):
    assert wrapped(text, 9 if "object" not in text else 20).splitlines() == lines
