"""A publisher's values on an operator's terminal: they move no cursor and forge no line."""

from __future__ import annotations

import ast
import json
import logging
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from include import cli
from include.councils.model import councils
from include.errors import PermanentError
from include.jobs.operate import drift
from include.jobs.pipeline.load import load
from include.printable import one_line, printable
from include.sources.model import contracts
from include.terminal import Messages
from tests.integration.conftest import serving
from tests.integration.fixture_server import FixtureServer, Reply
from tests.integration.landings import land
from tests.samples import contract, extracting, partition

INCLUDE = Path(__file__).parents[2] / "include"

FORGED = "wandle: all is well"
# What PostgreSQL holds as text: clears the screen, links, fills the clipboard, rings, overwrites
# and forges a line, the same as C1, reorders, and reads as Rich's markup.
HOSTILE = (
    "[red]markup[/red]\x1b[2J\x1b]8;;https://evil.test\x1b\\link\x1b]8;;\x1b\\\x1b]52;c;ZXZpbA==\x07\rover"
    f"\n{FORGED}\r\n{FORGED}\u2028{FORGED}\x85{FORGED}\x9b31m\u202eevil\u2066\u200f\x7f"
    "[link=https://evil.test]here[/link]:warning:"
)
# What it does not hold: such records are quarantined.
NO_TEXT = [f"\x00{HOSTILE}", f"\ud83d{HOSTILE}"]
IN_A_PATH = HOSTILE.replace("/", "|")


def unsafe(output: str) -> list[str]:
    """What of an output would act on a terminal, or passes for a line of ours."""
    categories = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    found = [repr(c) for c in output if c != "\n" and unicodedata.category(c) in categories]
    return found + [line for line in output.splitlines() if line.startswith(FORGED)]


@pytest.mark.parametrize("value", [HOSTILE, *NO_TEXT, FORGED])
def test_hostile_output_is_found(value):
    assert unsafe(value)


@given(st.text() | st.text(alphabet=st.sampled_from("a \n\r\t\x00\x1b\x9b\x85\u2028\u202e\udc80 ")))
def test_what_is_made_printable_is_harmless_and_stays_as_it_is(text):
    for made in (printable(text), one_line(text)):
        assert unsafe(made.replace("\t", "x")) == []
        made.encode()
    assert "\n" not in one_line(text)
    assert all(line[:2] in ("", "  ") for line in printable(text).split("\n")[1:])
    assert printable(printable(text)) == printable(text)
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize(
    "text", ["", "Kingston upon Thames", "Ystâd 12 °C, 5 %", "a\N{NO-BREAK SPACE}b"]
)
def test_plain_text_stays_as_it_is(text):
    assert one_line(text) == printable(text) == text


def test_an_error_is_printable_wherever_it_is_shown():
    error = PermanentError(f"gauges: found {HOSTILE}")

    assert unsafe(str(error)) == []
    assert unsafe(str(error.args[0])) == []


def test_log_messages_and_their_tracebacks_are_printable(capsys):
    log = logging.getLogger("tests.hostile")
    log.addHandler(handler := Messages())
    try:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("gauges: %s", HOSTILE)
    finally:
        log.removeHandler(handler)

    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "[red]markup[/red]" in said
    assert unsafe(said) == []


def test_the_patch_of_drift_is_yaml_that_means_the_hostile_value():
    import yaml

    row = {"source": "gauges", "way": "", "field": "new", "type": "text", "samples": [HOSTILE],
           "first_seen": "2026-11-20T00:00:00+00:00", "landing_id": "1"}  # fmt: skip
    patch = drift.patch(contract(), [row, row | {"field": HOSTILE * 9}])

    (column, *_) = yaml.safe_load(patch)["columns"]
    assert HOSTILE in column["description"]
    assert unsafe(patch) == []


# Each command, with what an attacker may have put where it reads. A new command fails
# `test_every_command_is_attacked` until it is listed here.
ATTACKS: dict[str, list[list[str]]] = {
    "alerts": [[], ["gauges"], [HOSTILE], ["--test"]],
    "councils": [[], ["--json"]],
    "demo": [[]],
    "diff": [[], ["--base", HOSTILE], ["--drop-kept"]],
    "doctor": [[], ["--json"]],
    "down": [[]],
    "drift": [[], ["--json"]],
    "env": [[]],
    "erase": [
        ["gauges", "--key", f"note={HOSTILE}"],
        ["gauges", "--key", f"note={HOSTILE}", "--json"],
    ],
    "explain": [
        ["raw.gauges", "--key", "id=1"],
        ["raw.gauges", "--key", "id=3"],
        ["raw.gauges", "--key", "id=1", "--json"],
        [f"raw.{HOSTILE}", "--key", "id=1"],
        ["raw.gauges", "--key", f"{HOSTILE}=1"],
    ],
    "export-odcs": [["gauges"]],
    "files": [["gauges"], [HOSTILE]],
    "game-day": [["--reveal"], ["--restore"], [HOSTILE]],
    "housekeeping": [[], ["--json"]],
    "import-odcs": [["/dev/null"]],
    "ingest": [
        ["gauges", "--council", "kingston", "--period", month]
        for month in ("2017-01", "2017-02", "2017-03", "2017-04", "2017-06", "2017-07")
    ],
    "ledger": [[], ["--history"], ["--json"], [HOSTILE], ["--council", HOSTILE]],
    "lineage": [["raw.gauges"], [HOSTILE]],
    "migrate": [["--rotate", HOSTILE]],
    "new-council": [["smallville", "--title", HOSTILE, "--gss", "E1", "--box", "1,2,3,4"]],
    "new-project": [[HOSTILE], ["hostile", "--into", HOSTILE]],
    "new-source": [["hostile", "--url", "{url}/v1/gauges?month=2017-01"]],
    "profile": [["raw.gauges"], ["raw.gauges", "--json"], [f"marts.{HOSTILE}"], [HOSTILE]],
    "publish": [[], ["--list"], ["--use", HOSTILE], ["--withdraw", HOSTILE]],
    "put": [["gauges", __file__, "--as", HOSTILE]],
    "quarantine": [[], ["--json"], ["--period", HOSTILE]],
    "remove": [["gauges"], ["gauges", "--json"], [HOSTILE], ["--council", HOSTILE]],
    "reload": [["--all"], ["--all", "--json"], [HOSTILE]],
    "replay": [[], ["--json"], [HOSTILE]],
    "sandbox": [[]],
    "serve": [["--host", HOSTILE]],
    "secrets": [["list"], ["list", "--json"], ["remove", HOSTILE]],
    "sheets": [["weather_daily", HOSTILE], [HOSTILE, "1" * 30]],
    "sources": [[], ["--json"]],
    "status": [[], ["--json"]],
    "sync": [["--check"]],
    "transform": [[]],
    "up": [[]],
    "validate": [[], ["--json"]],
    "verify": [[], ["--json"], ["--deep"]],
}
# In the state folder's own path, and in the name of the payload folder.
ON_THIS_MACHINE = {"demo", "doctor", "down", "env", "game-day", "sandbox", "status", "up"}
SHOWS_VALUES = {"councils", "drift", "explain", "profile", "quarantine", "sources", "verify"}


def test_every_command_is_attacked():
    assert set(get_command(cli.app).commands) == set(ATTACKS)


@pytest.fixture
def hostile(monkeypatch, tmp_path, lake, warehouse):
    """A source, a council, an API and a folder of an attacker; the URL of the API."""
    server = FixtureServer()
    redirect = {"Location": b"https://evil.test/\x1b]8;;[red]%0a".decode("latin-1")}
    answers = {
        "2017-01": Reply(HOSTILE.encode()),
        "2017-02": Reply(json.dumps({HOSTILE: HOSTILE}).encode()),
        "2017-03": Reply(b"", 302, redirect),
        "2017-04": Reply(HOSTILE.encode(), 400, {"X-Why": "\x1b[2J"}),
        "2017-06": Reply(
            json.dumps([{"id": n, "note": t} for n, t in enumerate(NO_TEXT)]).encode()
        ),
        "2017-07": Reply(HOSTILE.encode(), media_type="text/html; charset=\x1b[2J"),
    }
    server.on("gauges", lambda asked: answers[asked.values["month"]])
    with serving(server) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        source = contract(title=HOSTILE, publisher=HOSTILE[:100], extract=extracting(attempts=1))
        monkeypatch.setitem(contracts(), "gauges", source)
        some = councils()["kingston"]
        monkeypatch.setitem(councils(), "kingston", some.model_copy(update={"title": HOSTILE}))
        _load(source, lake, warehouse, monkeypatch)
        yield url


def _load(source: Any, lake: Any, warehouse: Any, monkeypatch: Any) -> None:
    records = [
        {"id": 1, "note": HOSTILE},
        {"id": HOSTILE, "note": "x"},
        {"id": 3, "note": "x", "new": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}},
        *({"id": 4 + n, "note": text} for n, text in enumerate(NO_TEXT)),
    ]
    land(lake, source, records, context={"ward.code": HOSTILE}, run_id=HOSTILE)
    where = {"lake": lake, "dsn": warehouse.dsn(), "run_id": HOSTILE}
    load(source, partition(), **where)
    assert warehouse.value("select count(*) from raw.gauges") == 2
    assert warehouse.value("select count(*) from ops.quarantine") == 3
    warehouse.query("update raw.gauges set note = note || 'x' where id = 1")


@pytest.mark.parametrize(
    ("command", "options"),
    [(command, options) for command, each in ATTACKS.items() for options in each],
    ids=lambda item: item if isinstance(item, str) else str(len(item)),
)
def test_no_value_reaches_the_terminal_unescaped(
    command, options, wandle, hostile, warehouse, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)  # some commands write files
    if command in ON_THIS_MACHINE:
        monkeypatch.setenv("WANDLE_HOME", str(tmp_path / IN_A_PATH))
        monkeypatch.setenv("WANDLE_PAYLOADS", str(tmp_path / IN_A_PATH / "none"))
        monkeypatch.setenv("WANDLE_PORT_BASE", "23310")
    nowhere = f"postgresql://wandle_transformer@127.0.0.1:1/{quote(IN_A_PATH)}"
    monkeypatch.setenv("WANDLE_TRANSFORMER_DSN", nowhere)
    monkeypatch.setenv("WANDLE_DEVELOPER_DSN", nowhere.replace("transformer", "developer"))
    if command == "profile":
        monkeypatch.setenv("WANDLE_TRANSFORMER_DSN", warehouse.dsn("wandle_transformer"))
        monkeypatch.setenv("WANDLE_PORTAL_DSN", warehouse.dsn("wandle_portal"))

    code, out, err = wandle(command, *(option.replace("{url}", hostile) for option in options))

    assert out + err
    assert unsafe(out + err) == []
    assert "this is a bug" not in err
    out.encode(), err.encode()
    if "--json" in options:
        assert not out or json.loads(out) is not None
    if command in SHOWS_VALUES and code == 0 and "--json" not in options:
        assert "markup[/red]" in out


PRINTS = {"print", "echo", "secho", "prompt", "confirm", "Console", "print_exception"}
STREAMS = {"sys.stdout", "sys.stderr"}
# They answer to a program: Docker's health check, and the parent of dbt's process.
OTHER = {"terminal.py", "local/health.py", "transform/child.py"}


def printing(text: str) -> list[str]:
    """What in a module prints by itself, with its line."""
    found = []
    for node in ast.walk(ast.parse(text)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in PRINTS or ast.unparse(node) in STREAMS:
            found.append(f"{node.lineno}: {name}")
    return found


def test_nothing_prints_but_the_terminal_module():
    paths = {str(path.relative_to(INCLUDE)): path for path in INCLUDE.rglob("*.py")}
    assert len(paths) > 150
    assert paths.keys() >= OTHER

    found = {
        name: wrong
        for name, path in paths.items()
        if name not in OTHER and (wrong := printing(path.read_text(encoding="utf-8")))
    }

    assert found == {}


@pytest.mark.parametrize(
    "code",
    ["print(1)", "typer.echo(x)", "sys.stdout.write(x)", "Console()", "f(report=print)",
     "console.print(x)", "typer.prompt(x)", "rich.print(x)"],
)  # fmt: skip
def test_a_module_that_prints_is_found(code):
    assert printing(code)
