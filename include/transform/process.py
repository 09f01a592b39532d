"""Run dbt in its child process against a DSN, without writing to the project."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, cast

from psycopg import conninfo, pq

from include.disk import disk_errors, warning
from include.transform.child import GRACE_SECONDS
from include.transform.failures import DbtStopped, failing_rows, failure
from include.transform.graph import Node, Result
from include.transform.project import FOLDER

# Variables that profiles.yml reads; other parts of the DSN go into libpq variables.
_VARIABLES = {
    "host": "WANDLE_DBT_HOST",
    "port": "WANDLE_DBT_PORT",
    "user": "WANDLE_DBT_USER",
    "password": "DBT_ENV_SECRET_WANDLE_PASSWORD",
    "dbname": "WANDLE_DBT_DATABASE",
}
# If a reader locks a mart for long, the swap fails and is retried instead of hanging. If dbt is
# gone, the server cancels its queries. Today is the same day for them as for fingerprints.
_SERVER_OPTIONS = "-c lock_timeout=60s -c client_connection_check_interval=5s -c timezone=UTC"


def environment(dsn: str) -> dict[str, str]:
    """The variables that make dbt use the database of `dsn`, a URL or key=value string."""
    given = {key: str(value) for key, value in conninfo.conninfo_to_dict(dsn).items()}
    variables = {"PGOPTIONS": f"{_SERVER_OPTIONS} {given.pop('options', '')}".strip()}
    for option, variable in _VARIABLES.items():
        variables[variable] = given.pop(option, "5432" if option == "port" else "")
    for known in pq.Conninfo.get_defaults():
        keyword = known.keyword.decode()
        if known.envvar and keyword in given:
            variables[known.envvar.decode()] = given[keyword]
    return variables


class Selected(Protocol):
    """What can be built alone."""

    @property
    def selector(self) -> str:
        """In dbt's syntax."""


class Dbt:
    """A dbt process for one database, as a context manager. It starts with the first command.

    `home` is where dbt writes (parsed project, compiled SQL); `progress` is
    called with a line for each finished node. `schema_prefix` comes before
    the name of each schema that is built.
    """

    started = False
    _process: subprocess.Popen[str]

    def __init__(
        self,
        *,
        dsn: str,
        home: Path,
        progress: Callable[[str], None],
        project: Path = FOLDER,
        schema_prefix: str = "",
    ) -> None:
        self._prefix = schema_prefix
        self.project = project
        self.target = home / "target"
        self._nodes: list[Node] | None = None
        self._tables: set[tuple[str, ...]] = set()
        # What was built, and the compiled SQL of each model by unique ID.
        self.results: list[Result] = []
        self.compiled: dict[str, str] = {}
        self._dsn = dsn
        self._progress = progress
        self._options = [
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(self.target), "--log-path", str(home / "logs")),
            *("--log-level", "none", "--log-level-file", "none", "--quiet", "--no-use-colors"),
        ]

    def __enter__(self) -> Dbt:
        return self

    def _start(self) -> None:
        with disk_errors("dbt: starting", self.target):
            self.target.mkdir(parents=True, exist_ok=True)
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115, closed by __exit__
        self._process = subprocess.Popen(
            (sys.executable, "-m", "include.transform.child", *self._options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=self.target,
            env={
                "PATH": str(Path(sys.executable).parent),
                "HOME": str(self.target),
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                "WANDLE_SCHEMA_PREFIX": self._prefix,
                **environment(self._dsn),
            },
            start_new_session=True,
            text=True,
        )
        self._commands = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        self.started = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.started:
            return
        with suppress(BrokenPipeError):
            self._commands.close()
        try:
            self._process.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._stderr.close()

    def nodes(self) -> list[Node]:
        """Every model and data test; one whose file does not parse has an `error`.

        Raises `PermanentError` if the project does not parse without them either.
        """
        if self._nodes is None:  # the child parses the project once
            nodes = self._ask("nodes")
            self._tables = {tuple(node.pop("table", ())) for node in nodes}
            self._nodes = [Node.of(described) for described in nodes]
        return self._nodes

    def build(
        self, nodes: Iterable[Selected], plan: str = "", defer_to: Path | None = None
    ) -> list[Result]:
        """Build exactly these nodes; returns the result of each, including failures.

        `plan` is the attempt whose plan says which partitions; without it, whole.
        `defer_to` is a folder with the `manifest.json` of a project from whose
        schemas everything else is read.
        The messages of failed tests show the first rows that fail.
        """
        selectors = [node.selector for node in nodes]
        options = {"defer_to": str(defer_to)} if defer_to else {}
        results = self._ask("build", selectors=selectors, plan=plan, **options)
        rows = failing_rows(self._dsn, results, self._tables)
        for result in results:
            if added := rows.get(result["unique_id"]):
                result["message"] = f"{(result['message'] or result['status'])}. {added}"
            if sql := result.pop("sql"):
                self.compiled[result["unique_id"]] = sql
            del result["table"], result["failing_rows"]
        built = [Result(**described) for described in results]
        self.results += built
        return built

    def published(self) -> list[dict[str, Any]]:
        """What dbt knows of each model that declares `publish`; see `include.publish.public`."""
        found: list[dict[str, Any]] = self._ask("published")
        return found

    def lineage(self) -> dict[str, Any]:
        """What `include.lineage.models` reads; needs no database."""
        found: dict[str, Any] = self._ask("lineage")
        return found

    def relations(self) -> dict[str, Any]:
        """See `child.Session.relations`."""
        found: dict[str, Any] = self._ask("relations")
        return found

    def modified(self, state: Path) -> list[str]:
        """See `child.Session.modified`."""
        return list(self._ask("modified", state=str(state)))

    def docs(self) -> Path:
        """Generate the docs; returns the HTML file."""
        self._ask("docs")
        return self.target / "static_index.html"

    def _ask(self, command: str, **arguments: Any) -> Any:
        if not self.started:
            self._start()
        try:
            self._commands.write(json.dumps({"command": command, **arguments}) + "\n")
            self._commands.flush()
        except BrokenPipeError:
            raise self._stopped(command) from None
        for line in self._answers:
            said = json.loads(line)
            if "progress" in said:
                self._progress(said["progress"])
            elif "error" in said:
                raise failure(f"dbt {command}", said["error"])
            else:
                return said["answer"]
        raise self._stopped(command)

    def _stopped(self, command: str) -> DbtStopped:
        code = self._process.wait()
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        said = f" Last output: {last[0]}." if last else ""
        return DbtStopped(
            f"dbt {command}: the process {how} before it finished.{said} Try again; if it happens "
            "again, check whether the machine runs out of memory. "
            f"{warning(self.target)}".rstrip()
        )
