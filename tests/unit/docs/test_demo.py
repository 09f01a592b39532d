"""docs/demo.md: three minutes, and its recording shows the commands that it has now."""

from __future__ import annotations

import importlib.util
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.unit.docs.pages import CHECKOUT, Page
from tests.unit.docs.test_handbook import minutes

PAGE = CHECKOUT / "docs" / "demo.md"
RECORDING = CHECKOUT / "docs" / "images" / "demo.svg"
LONGEST_SECONDS = 180


@pytest.fixture(scope="module")
def recorder() -> Any:
    spec = importlib.util.spec_from_file_location("record", CHECKOUT / "docs/recording/record.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["record"] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh(?: fails)?\n(.*?)^```$", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def test_it_can_be_said_and_shown_in_three_minutes():
    assert minutes(Page(PAGE, PAGE.read_text(encoding="utf-8"))) <= 2
    assert 8 <= len(commands()) <= 12


def test_the_recording_shows_the_commands_of_the_page_in_their_order():
    svg = RECORDING.read_text(encoding="utf-8")
    shown = [unescape(text) for text in re.findall(r'class="command"[^>]*>\$ ([^<]*)<', svg)]

    assert shown == commands(), "run `make demo-recording`"


def test_the_recording_is_no_longer_than_three_minutes_and_names_no_place_of_this_machine():
    svg = RECORDING.read_text(encoding="utf-8")
    (seconds,) = re.findall(r"animation: play ([\d.]+)s", svg)

    assert float(seconds) <= LONGEST_SECONDS
    assert not re.search(r"/(home|root|work|Users|tmp)/", svg)
    assert "prefers-reduced-motion" in svg
    assert not re.search(r"\b(?:href|src)=", svg)


def test_a_command_that_ends_differently_than_the_page_says_stops_the_recording(recorder):
    for page in ("```sh\nfalse\n```\n", "```sh fails\ntrue\n```\n"):
        with pytest.raises(recorder.CommandFailed, match=r"exit code [01]"):
            recorder.record(page, {"PATH": "/usr/bin:/bin"})


def test_every_line_appears_once_and_in_its_order(recorder, tmp_path: Path):
    page = "## A title\n\n```sh\nprintf 'one\\n<two>\\n'\necho three\n```\n"
    lines = recorder.record(page, {"PATH": "/usr/bin:/bin"})

    texts = [line.text for line in lines if line.text]
    assert texts == ["# A title", "$ printf 'one\\n<two>\\n'", "one", "<two>", "$ echo three",
                     "three", "$"]  # fmt: skip
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    svg = recorder.drawn(lines, "A page")
    assert "&lt;two&gt;" in svg
    assert svg.count("<text") == len(lines)
    # Each moment moves the lines so that the newest is the last one.
    moved = [int(y) for y in re.findall(r"translateY\((-?\d+)px\)", svg)]
    assert min(moved) == -len(lines) * recorder.LINE
