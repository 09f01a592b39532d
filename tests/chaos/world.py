"""What kill tests work on: real PostgreSQL and S3 that can be disturbed, an API of two states."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg

from include.jobs.lake import Lake, lake_of
from include.jobs.migrate import migrate
from include.jobs.pipeline.reconcile import anything_loaded, reconcile
from include.landing.manifest import Manifest
from include.landing.store import run_hash
from include.local import processes
from include.local.account import as_unprivileged
from include.local.home import HOST, port
from include.local.services import object_store, postgres
from include.local.state import IN_SETTINGS_FILE, ROLES, as_variables, prepare, read_secrets
from include.settings import Settings
from include.sources.model import contract
from include.transform.process import Dbt
from sandbox.app import create_app
from tests.chaos.child import Fault, Work, run
from tests.chaos.crimes import COUNCIL, PERIOD, SOURCE, STATES, write_state
from tests.chaos.proxy import Proxy
from tests.integration.conftest import serving
from tests.integration.models import build_models_of

CRIME = contract(SOURCE)
PARTITION = CRIME.partition(COUNCIL, PERIOD)
PLACE = f"source = '{SOURCE}' and council = '{COUNCIL}' and period = '{PERIOD}-01'"
# What both attempts of a job must agree in; times, ids and numbers of attempts may differ.
BOOKS = (
    "records, loaded, quarantined, duplicates, rows, pages, bytes, content_hash, quarantine_hash, "
    "pages_hash, rules_hash, contract_hash, code_version, filled_columns::text"
)
PATIENCE_SECONDS = 90
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.chaos.child"])


class DiffersFromUndisturbed(AssertionError):
    """After a fault, and after the retry, something is not as in a run without it."""


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: `done`, `failed` (by itself, saying why) or `killed`."""

    how: str
    answer: Any = None
    retryable: bool | None = None
    message: str = ""


@dataclass(frozen=True)
class Held:
    """All that the warehouse holds of the partition, but for which landing it came from."""

    rows: tuple[Any, ...]
    quarantine: tuple[Any, ...]


@dataclass(frozen=True)
class Undisturbed:
    """What a run without any fault makes of one state of the API."""

    held: Held
    books: tuple[Any, ...]
    pages_hash: str
    pages: int


@dataclass
class World:
    """The services, the two references, and what can be done with them."""

    settings: Settings
    payloads: Path
    proxy: Proxy
    lake: Lake
    environment: dict[str, str]
    asked: list[str]
    dbt: Dbt
    references: dict[str, Undisturbed] = field(default_factory=dict)
    landing_of: dict[str, str] = field(default_factory=dict)
    marts_of: dict[str, dict[str, Any]] = field(default_factory=dict)

    # --- doing ---

    def attempt(
        self,
        job: str,
        run_id: str,
        fault: Fault | None = None,
        *,
        landing_id: str | None = None,
        source: str = SOURCE,
        period: str = PERIOD,
        disturb: Callable[[], None] | None = None,
        kill_after_seconds: float | None = None,
        flaw: str | None = None,
    ) -> Ended:
        """Run a job in a process of its own, to its end or to that of the process."""
        work = Work(job, source, COUNCIL, period, run_id, self.environment, landing_id, fault, flaw)
        mine, theirs = FORKING.Pipe()
        process = FORKING.Process(target=run, args=(work, theirs), daemon=True)
        process.start()
        theirs.close()
        if kill_after_seconds is not None:
            process.join(kill_after_seconds)
            process.kill()
        said = _listen(mine, disturb)
        process.join(PATIENCE_SECONDS)
        code = process.exitcode
        process.kill()
        if said is not None:
            return (
                Ended(said[0], said[1]) if said[0] == "done" else Ended("failed", None, *said[1:])
            )
        if code != -signal.SIGKILL:
            raise AssertionError(f"{job} neither ended nor was killed: exit code {code}")
        return Ended("killed")

    def serve(self, state: str) -> None:
        """Let the API answer with this state of the partition."""
        write_state(self.payloads, state)

    def hang(self) -> None:
        """Let the API answer three seconds late, which is more than a job waits."""
        self._faults([{"match": {"path": "crimes-street"}, "fault": "slow", "seconds": 3}])

    def repair(self) -> None:
        """Take back what was done to the API and to the way to S3."""
        self._faults([])
        self.proxy.repair()

    def _faults(self, rules: list[dict[str, Any]]) -> None:
        file = self.payloads.parent / "faults.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(rules))
        new.replace(file)

    def stop_postgresql(self, mode: str) -> None:
        """`pg_ctl stop`, fast (sessions are ended) or immediate (as a crash)."""
        data = postgres.data_folder(self.settings)
        command = (str(postgres.binaries() / "pg_ctl"), "stop", "-w", "-D", str(data), "-m", mode)
        subprocess.run(
            as_unprivileged(command, (postgres.binaries(), data)), check=True, capture_output=True,
            env=processes.inherited_environment(), cwd="/",
        )  # fmt: skip

    def start_postgresql(self) -> None:
        """Start it again, and wait until it has recovered."""
        processes.start(self.settings.home, postgres.service(self.settings))

    def restart_postgresql(self, mode: str) -> None:
        """Stop and start it, while a job is at work."""
        self.stop_postgresql(mode)
        self.start_postgresql()

    def crash_s3(self) -> None:
        """Kill the S3 server and start it again; objects stay, their metadata do not."""
        processes.stop(self.settings.home, ["s3"], signal.SIGKILL, 5)
        processes.start(self.settings.home, object_store.s3(self.settings))

    # --- seeing ---

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows, as the superuser."""
        with psycopg.connect(self.settings.admin_dsn) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def held(self) -> Held:
        """What the warehouse holds of the partition now."""
        where = f"_council = '{COUNCIL}' and _period = '{PERIOD}-01'"
        text = "(to_jsonb(row) - '_landing_id')::text"
        rows = self.query(
            "select count(*), count(distinct _landing_id), count(distinct _record_no), "
            f"md5(string_agg({text}, '\n' order by {text})) from raw.{SOURCE} as row where {where}"
        )
        quarantine = self.query(
            "select page, page_record_no, record_no, column_name, rule, value, record, responsible "
            f"from ops.quarantine where {PLACE} order by record_no"
        )
        return Held(rows[0], tuple(quarantine))

    def finished(self, run_id: str) -> list[Manifest]:
        """The finished landings that a run has left, read from S3 past the proxy."""
        landings = self.lake.landings
        mine = f"-{run_hash(run_id)}"
        found = [name for name in landings.finished(PARTITION) if name.endswith(mine)]
        return [landings.manifest(PARTITION, name) for name in found]

    def ledger(self, run_id: str) -> list[tuple[str, tuple[Any, ...]]]:
        """Status and books of each attempt of a run, oldest first."""
        found = self.query(
            f"select status, {BOOKS} from ops.load where {PLACE} and run_id = '{run_id}' "
            "order by load_id"
        )
        return [(row[0], row[1:]) for row in found]

    def marts(self) -> dict[str, Any]:
        """Build every model that comes of the partition, and what each mart then holds."""
        build_models_of(self.dbt, SOURCE)
        tables = self.query("select tablename from pg_tables where schemaname = 'marts' order by 1")
        assert tables, "dbt made no mart"
        return {
            name: self.query(
                f"select count(*), md5(string_agg(row::text, '\n' order by row::text)) "
                f"from marts.{name} as row"
            )
            for (name,) in tables
        }

    # --- judging ---

    def learn(self, run_id: str = "undisturbed") -> None:
        """Make the references: both states, loaded in turn, without any fault."""
        for number, state in enumerate(("B", "A", "B")):
            ended = self.ingest(state, f"{run_id} {number}")
            self.landing_of[state] = ended.answer["landing"]
            manifest = self.lake.landings.manifest(PARTITION, self.landing_of[state])
            ((status, books),) = self.ledger(f"{run_id} {number}")
            assert status == "loaded"
            self.references[state] = Undisturbed(
                self.held(), books, manifest.pages_hash, manifest.totals.pages
            )
            if number:
                self.marts_of[state] = self.marts()
        assert self.references["A"].held != self.references["B"].held
        assert self.marts_of["A"] != self.marts_of["B"]
        assert {row[4] for row in self.references["A"].held.quarantine} == {"pattern", "key"}

    def ingest(self, state: str, run_id: str) -> Ended:
        """Extract and load without a fault."""
        self.serve(state)
        landed = self.attempt("extract", run_id)
        assert landed.how == "done", landed
        loaded = self.attempt("load", run_id, landing_id=landed.answer)
        assert loaded.how == "done", loaded
        return loaded

    def check_landings(self, state: str, run_id: str) -> None:
        """Every landing of the run that is finished is whole."""
        for manifest in self.finished(run_id):
            found = (manifest.totals.pages, manifest.pages_hash)
            expected = (self.references[state].pages, self.references[state].pages_hash)
            _same(f"{run_id}: landing {manifest.landing_id}", found, expected)

    def check_between(self, before: Held, state: str, run_id: str) -> None:
        """Before the retry: all is old, or all is new, and the ledger says which."""
        held = self.held()
        loaded = [status for status, _ in self.ledger(run_id) if status == "loaded"]
        new = self.references[state].held
        if loaded:
            _same(f"{run_id}: rows, when the ledger says `loaded`", held, new)
        else:
            _same(f"{run_id}: rows, when the ledger says nothing was loaded", held, before)

    def check_after(self, state: str, run_id: str, landing_id: str) -> None:
        """After the retry: as if nothing had happened."""
        expected = self.references[state]
        self.check_landings(state, run_id)
        _same(f"{run_id}: rows and quarantine", self.held(), expected.held)
        entries = self.ledger(run_id)
        statuses = [status for status, _ in entries if status != "failed"]
        if statuses not in (["loaded"], ["loaded", "unchanged"]):
            raise DiffersFromUndisturbed(
                f"{run_id}: the ledger says {[status for status, _ in entries]}"
            )
        for status, books in entries:
            if status != "failed":
                _same(f"{run_id}: the books of `{status}`", books, expected.books)
        known = self.query(
            f"select pages, pages_hash from ops.landing where {PLACE} "
            f"and landing_id = '{landing_id}'"
        )
        _same(f"{run_id}: ops.landing", known, [(expected.pages, expected.pages_hash)])
        self._check_the_run(run_id, landing_id)

    def _check_the_run(self, run_id: str, landing_id: str) -> None:
        """The books of the run balance, and what is new is announced to the marts."""
        of_run = {"dsn": self.settings.loader_dsn, "run_id": run_id}
        assert sum(reconcile(CRIME, [PARTITION], [landing_id], **of_run).values()) == 1  # type: ignore[arg-type]
        if not anything_loaded(CRIME, [landing_id], **of_run):  # type: ignore[arg-type]
            raise DiffersFromUndisturbed(f"{run_id}: the marts were not built again")

    def check_marts(self, state: str) -> None:
        """The marts are those of this state."""
        _same(f"marts of {state}", self.marts(), self.marts_of[state])


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise DiffersFromUndisturbed(f"{what}: expected {expected}, found {found}")


def _listen(pipe: Any, disturb: Callable[[], None] | None) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while pipe.poll(max(0.0, deadline - time.monotonic())):
            said = pipe.recv()
            if said[0] != "paused":
                return said
            assert disturb is not None, "a job paused, and nobody disturbs it"
            disturb()
            pipe.send("go on")
    except (EOFError, ConnectionResetError):
        return None
    raise AssertionError(f"a job said nothing for {PATIENCE_SECONDS} s")


@contextmanager
def world() -> Iterator[World]:
    """The services up, the API's states learnt; all of it gone at the end."""
    # A short path, and one that PostgreSQL's own user may look into.
    folder = Path(tempfile.mkdtemp(prefix="wandle-chaos-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        settings = prepare(
            Settings(_env_file=None, WANDLE_HOME=folder / "home", WANDLE_PORT_BASE=_free_ports())
        )
        stack.callback(processes.stop, settings.home, ["s3"], signal.SIGKILL, 5)
        processes.start(settings.home, object_store.s3(settings))
        postgres.create_cluster(settings)
        stack.callback(postgres.stop, settings)
        processes.start(settings.home, postgres.service(settings))
        _make_warehouse(settings)
        payloads = folder / "payloads"
        write_state(payloads, "A")
        asked: list[str] = []
        url = stack.enter_context(serving(_Remembering(_sandbox(folder, payloads), asked)))
        proxy = Proxy(port(settings.port_base, "s3"))
        stack.callback(proxy.close)
        home = tempfile.mkdtemp(prefix="dbt-", dir=folder)
        dbt = Dbt(dsn=settings.transformer_dsn, home=Path(home), progress=lambda line: None)
        found = World(
            settings, payloads, proxy, lake_of(settings), _environment(settings, url, proxy), asked,
            stack.enter_context(dbt),
        )  # fmt: skip
        today = f"{datetime.now(UTC):%Y-%m}"
        parent = found.attempt("extract", "parent", source="police_ward_boundaries", period=today)
        assert parent.how == "done", parent
        found.learn()
        yield found


def _environment(settings: Settings, sandbox: str, proxy: Proxy) -> dict[str, str]:
    return as_variables(settings, IN_SETTINGS_FILE) | {
        "WANDLE_HOME": str(settings.home),
        "WANDLE_SANDBOX_URL": sandbox,
        "WANDLE_CODE_VERSION": "test",
        "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{proxy.port}",
    }


def _make_warehouse(settings: Settings) -> None:
    with psycopg.connect(
        settings.admin_dsn.rsplit("/", 1)[0] + "/postgres", autocommit=True
    ) as connection:
        # Processes die here, never the machine: what the kernel has, it keeps.
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    postgres.create_databases(settings)
    generated = read_secrets(settings.home)
    migrate(settings.admin_dsn, {role: generated[role] for role in ROLES.values()})


def _sandbox(folder: Path, payloads: Path) -> Any:
    return create_app(
        seed=7, as_of=date(2026, 11, 21), payloads=payloads, state=folder / "sandbox.json",
        rate_per_second=1e6, burst=1_000_000,
    )  # fmt: skip


class _Remembering:
    """An ASGI app that notes which paths were asked for."""

    def __init__(self, app: Any, asked: list[str]) -> None:
        self._app = app
        self._asked = asked

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self._asked.append(scope["path"])
        await self._app(scope, receive, send)


def _free_ports() -> int:
    while True:
        base = random.randrange(20_000, 32_000, 10)  # noqa: S311
        if not any(processes.port_owner(base + offset) for offset in range(4)):
            return base


__all__ = ["STATES", "DiffersFromUndisturbed", "Fault", "World", "world"]
