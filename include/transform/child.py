"""dbt in a child process: reads commands and writes results as JSON lines on its pipes.

The child keeps dbt's global state, threads and memory out of Airflow's tasks,
and the password out of their environment. One process for several commands
pays for dbt's slow start once. It exits when its parent closes the pipe or
dies, after dbt has cancelled its queries.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from include.lineage.project import described_lineage, made_of
from include.transform.changes.fingerprint import Described
from include.transform.project import Files, copy_without, project_hash

# Time to cancel queries and roll back once the parent is gone.
GRACE_SECONDS = 10

# The dbt events that report the result of a node.
_PROGRESS = {
    "LogModelResult",
    "LogSeedResult",
    "LogSnapshotResult",
    "LogTestResult",
}
# The resource types that are relations of the database.
_RELATIONS = ("model", "seed", "snapshot")
# Without unit tests: their input is constant, so the test suite runs them.
_NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
_BUILD = ("build", "--no-write-json", "--cache-selected-only", *_NO_UNIT_TESTS)
_COMPILE = ("compile", "--no-write-json", "--no-populate-cache", "--no-introspect")
_STORE = ("test", "--no-write-json", "--store-failures")
_FAILURES = "test_failures"
_EXACTLY = ("--indirect-selection", "empty", "--select")


class Session:
    """One dbt project, parsed once; files that do not parse are left out."""

    def __init__(self, options: list[str], progress: Callable[[str], None]) -> None:
        import dbt_common.clients.agate_helper  # noqa: F401 - at start, not in the first build
        from dbt.cli.main import dbtRunner
        from dbt_common.behavior_flags import BehaviorFlagRendered as Flag

        # dbt searches all modules in each invocation to name the owner of a flag in a warning.
        Flag._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]
        self._runner_class = dbtRunner
        self._options = options
        self._callbacks = [
            lambda event: progress(event.info.msg) if event.info.name in _PROGRESS else None
        ]
        self._manifest: Any = None
        self._unusable: list[dict[str, Any]] = []

    def nodes(self) -> list[dict[str, Any]]:
        """Every node that a build creates or tests, except unit tests.

        Those of files that do not parse have an `error`; what depends on them
        is listed, too, and cannot be built either.
        """
        self._parse()
        described = Described(self._manifest, Path(self._option("--project-dir")))
        return [
            {
                "unique_id": node.unique_id,
                "resource_type": str(node.resource_type),
                "path": node.original_file_path,
                "selector": _selector(node),
                "depends_on": list(node.depends_on.nodes),
                "table": [node.schema, node.alias],
                **described.of(node),
            }
            for node in self._manifest.nodes.values()
            # Tests of disabled models stay in the manifest, also disabled.
            if node.config.enabled and getattr(node.config, "materialized", None) != "ephemeral"
        ] + self._unusable

    def _parse(self) -> None:
        """Parse the project once, without the files that it does not parse with.

        What was parsed before is used only if nothing has changed since: from
        a changed description, dbt's partial parsing can lose tests.
        """
        if self._manifest is not None:
            return
        files = Files(Path(self._option("--project-dir")))
        target = Path(self._option("--target-path"))
        stamp, now = target / "parsed", project_hash(files.folder)
        whole = ["--no-partial-parse"]
        if stamp.exists() and stamp.read_text(encoding="utf-8") == now:
            whole = []
        stamp.unlink(missing_ok=True)
        copy = target.parent / "usable_project"
        broken: dict[str, str] = {}
        while True:
            try:
                self._manifest = self._invoke("parse", *whole)
                # Links the graph, which finds cycles.
                self._invoke("list", "--select", "config.materialized:nothing")
            except Exception as error:
                self._manifest = None
                new = files.named_in(str(error)) - files.unusable(broken).keys()
                if not new:
                    _name_broken_macro(files.folder)
                    raise
                broken |= dict.fromkeys(sorted(new), str(error))
                copy_without(files.folder, copy, files.unusable(broken))
                self._set_option("--project-dir", str(copy))
                whole = ["--no-partial-parse"]
            else:
                if not broken:
                    stamp.write_text(now, encoding="utf-8")
                self._unusable = files.nodes(files.unusable(broken))
                return

    def _option(self, name: str) -> str:
        return self._options[self._options.index(name) + 1]

    def _set_option(self, name: str, value: str) -> None:
        at = self._options.index(name) + 1
        self._options = [*self._options[:at], value, *self._options[at + 1 :]]

    def relations(self) -> dict[str, Any]:
        """What the project builds: each relation with its schema, and names of personal columns."""
        self._parse()
        described = [*self._manifest.nodes.values(), *self._manifest.sources.values()]
        return {
            "relations": [
                {
                    "unique_id": node.unique_id,
                    "schema": node.schema,
                    "name": node.alias,
                    "path": node.original_file_path,
                    "selector": "fqn:" + ".".join(node.fqn),
                    "depends_on": list(node.depends_on.nodes),
                }
                for node in self._manifest.nodes.values()
                if str(node.resource_type) in _RELATIONS
                and node.config.enabled
                and node.config.materialized != "ephemeral"
            ],
            "personal": sorted(
                {
                    column.name
                    for node in described
                    for column in node.columns.values()
                    if (column.config.meta or column.meta).get("personal", "no") != "no"
                }
            ),
            "broken": {node["path"]: node["error"] for node in self._unusable},
        }

    def modified(self, state: str) -> list[str]:
        """What differs from the project of a `manifest.json` in the folder `state`, or is below it.

        The unique IDs of models, seeds and snapshots.
        """
        kinds = [word for kind in _RELATIONS for word in ("--resource-type", kind)]
        found = self._invoke(
            *("list", "--select", "state:modified+", "--state", state, *kinds),
            *("--output", "json", "--output-keys", "unique_id"),
        )
        return [json.loads(line)["unique_id"] for line in found]

    def build(self, selectors: list[str], plan: str, defer_to: str = "") -> list[dict[str, Any]]:
        """Build exactly the selected nodes, and return the result of each.

        `plan` names the attempt whose plan says which partitions to build;
        without it, all of each node is built. What they select from and is not
        selected itself is taken from where the `manifest.json` in the folder
        `defer_to` has it. `failing_rows` says of a test what became of them:
        `none`, `stored` in `table`, `withheld`, or `lost` where the storing failed; of a model, it
        is null.
        """
        defer = ("--defer", "--favor-state", "--state", defer_to) if defer_to else ()
        variables = ("--vars", json.dumps({"plan": plan}))
        run = self._invoke(*_BUILD, *defer, *variables, *_EXACTLY, *selectors, may_fail=True)
        failing_rows = self._stored(run.results, *variables)
        return [
            {
                "unique_id": result.node.unique_id,
                "resource_type": str(result.node.resource_type),
                "status": str(result.status),
                "execution_seconds": result.execution_time,
                "rows_affected": result.adapter_response.get("rows_affected"),
                "failures": result.failures,
                "message": result.message,
                "table": [result.node.schema, result.node.alias],
                "sql": getattr(result.node, "compiled_code", None),
                "failing_rows": failing_rows.get(result.node.unique_id),
            }
            for result in run.results
        ]

    def published(self) -> list[dict[str, Any]]:
        """The models with `publish: true` in their `meta`, and all that each is made of."""
        self._parse()
        nodes = self._manifest.nodes
        return [
            {
                "unique_id": node.unique_id,
                "name": node.name,
                "description": node.description,
                "meta": dict(node.config.meta),
                "columns": [
                    {
                        "name": column.name,
                        "description": column.description,
                        "meta": dict(column.config.meta),
                    }
                    for column in node.columns.values()
                ],
                "made_of": sorted(made_of(nodes, node.unique_id)),
            }
            for node in nodes.values()
            if str(node.resource_type) == "model" and node.config.meta.get("publish") is True
        ]

    def lineage(self) -> dict[str, Any]:
        """The models with their compiled SQL, and the exposures; needs no database."""
        self._parse()
        run = self._invoke(*_COMPILE, "--select", "resource_type:model", may_fail=True)
        return described_lineage(self._manifest, run.results)

    def _stored(self, results: Iterable[Any], *variables: str) -> dict[str, str]:
        """What became of the failing rows of each test; runs those that failed again."""
        tests = [result for result in results if str(result.node.resource_type) == "test"]
        found = {result.node.unique_id: "none" for result in tests}
        store = {}
        for result in tests:
            # A developer has no such schema.
            stored = result.node.schema == _FAILURES
            if stored and str(result.status) in ("fail", "warn"):
                name = result.node.unique_id
                harmless = result.node.config.meta.get("counts_only")
                personal = not harmless and self._sees_personal_data(name)
                found[name] = "withheld" if personal else "lost"
                if found[name] == "lost":
                    store[name] = _selector(result.node)
        if store:
            with suppress(Exception):
                selected = (*variables, *_EXACTLY, *store.values())
                run = self._invoke(*_STORE, *selected, may_fail=True, quiet=True)
                became = {"fail": "stored", "warn": "stored", "pass": "none"}
                for result in run.results:
                    found[result.node.unique_id] = became.get(str(result.status), "lost")
        return found

    def _sees_personal_data(self, name: str) -> bool:
        """Whether a node selects, through any model, from a source with personal columns."""
        sources = self._manifest.sources
        return any(
            column.config.meta.get("personal")
            for found in {name, *made_of(self._manifest.nodes, name)} & sources.keys()
            for column in sources[found].columns.values()
        )

    def docs(self) -> None:
        """Write the documentation site, one HTML file, to the target path.

        Without compiled SQL, if a model does not compile.
        """
        self._parse()
        try:
            self._invoke("docs", "generate", "--static")
        except Exception:
            self._invoke("docs", "generate", "--static", "--no-compile")

    def _invoke(self, *arguments: str, may_fail: bool = False, quiet: bool = False) -> Any:
        callbacks = [] if quiet else self._callbacks
        runner = self._runner_class(manifest=self._manifest, callbacks=callbacks)
        done = runner.invoke([*arguments, *self._options])
        if done.exception is not None:
            raise done.exception
        if not done.success and not may_fail:
            raise RuntimeError(f"dbt {arguments[0]} failed without an error message")
        return done.result


def _selector(node: Any) -> str:
    return "fqn:" + ".".join(node.fqn)


def _name_broken_macro(folder: Path) -> None:
    """Raise an error that names the file of a macro that does not parse; dbt does not name it."""
    from dbt_common.clients.jinja import get_environment
    from jinja2 import TemplateSyntaxError

    for path in sorted([*folder.glob("macros/**/*.sql"), *folder.glob("tests/generic/**/*.sql")]):
        try:
            get_environment(None).parse(path.read_text(encoding="utf-8", errors="replace"))
        except TemplateSyntaxError as error:
            where = path.relative_to(folder).as_posix()
            raise RuntimeError(f"{where}, line {error.lineno}: {error.message}") from error


def main(options: list[str]) -> None:
    """Run commands until the parent closes the pipe."""
    commands, answers = _pipes()
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(commands, queue), daemon=True).start()

    def say(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        session = Session(options, lambda line: say(progress=line))
        while True:
            command = queue.get()
            try:
                method = getattr(session, command.pop("command"))
                say(answer=method(**command))
            except Exception as error:
                say(error=str(error) or type(error).__name__)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # dbt's threads may still be waiting for the server


def _pipes() -> tuple[TextIO, TextIO]:
    """Reserve the pipes for the protocol; whatever dbt or a driver prints goes to stderr."""
    commands, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


def _listen(commands: TextIO, queue: SimpleQueue[dict[str, Any]]) -> None:
    for line in commands:
        queue.put(json.loads(line))
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
