"""The demo: run every source through Airflow, then the marts, then print a summary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from include.councils.model import broken_councils
from include.definitions import raise_for_broken
from include.jobs.pipeline.books import ledger_entries, mart_counts, marts_are_behind
from include.local import platform
from include.local.demo.inbox import fill_inboxes
from include.local.demo.runs import POLL_SECONDS, DemoFailed, ingest_all, why
from include.local.demo.window import Asked, Window, asked_of_sources, choose_window
from include.local.lock import hold
from include.local.services.airflow import DAGS_SECONDS
from include.local.services.airflow_api import FINISHED, AirflowApi, AirflowRefused
from include.local.source_secrets import lacking_secrets
from include.local.state import prepare
from include.local.tables import show_summary
from include.settings import Settings
from include.sources.model import require_every_contract
from include.terminal import Line, note, print_json, say, trouble

TRANSFORM = "transform"
# A run of `transform` starts within this time after an asset event.
EVENT_SECONDS = 15


def demo(
    settings: Settings,
    *,
    councils: list[str] | None,
    first: str,
    last: str,
    sources: list[str] | None = None,
    as_json: bool = False,
) -> None:
    """Start the platform, run the main job, and print a summary, or its JSON alone.

    Raises `DemoFailed` with the error of the failed task, and `UnknownName`
    for an unknown council, month or source.
    """
    began = datetime.now(UTC)
    with hold(settings.home, "demo"):
        window = choose_window(settings, councils, first, last, began.date())
        lacking = {} if sources else lacking_secrets(settings)
        asked = asked_of_sources(window, sources, lacking, live=settings.live)
        report = note if as_json else say
        for name, secret in lacking.items():
            report(f"{name}: left out. Set its secret: `wandle secrets set {secret}`")
        platform.up(settings, report=report)
        local = prepare(settings)
        run(local, window, asked, url=local.need("airflow_url"), as_json=as_json)
        report("")
        report(
            "The platform is still running. Next: `wandle status`, `wandle ledger`, `wandle down`."
        )
        if not sources:
            require_every_contract("demo")
        if not councils:
            raise_for_broken("demo", broken_councils().values())


def run(
    settings: Settings, window: Window, asked: list[Asked], *, url: str, as_json: bool = False
) -> None:
    """Run the main job on a running platform, and print a summary and the login at `url`.

    Raises `DemoFailed` with the error of the failed task.
    """
    began = time.monotonic()
    api = AirflowApi(settings.need("airflow_url"), settings.airflow_user, settings.airflow_password)
    names = [f"ingest_{item.contract.name}" for item in asked] + [TRANSFORM]
    api.wait_for_dags(names, DAGS_SECONDS)
    for name in names:
        api.unpause(name)
    if not settings.live:
        fill_inboxes(settings, asked)
    note(f"Running the main job through Airflow: {_told(window, asked)}")
    with _progress() as progress:
        with _built_once(api, settings) if len(asked) > 1 else nullcontext():
            ingest_all(api, asked, progress)
        _wait_for_marts(api, settings, progress)
    seconds = time.monotonic() - began
    entries = [entry for entry in ledger_entries(settings.loader_dsn) if _shown(entry, asked)]
    marts = mart_counts(settings.need("reader_dsn"))
    if as_json:
        print_json({"entries": entries, "marts": marts, "seconds": round(seconds, 1), "url": url})
    else:
        show_summary(settings, entries, marts, seconds=seconds, url=url)


def _told(window: Window, asked: list[Asked]) -> str:
    days = [item.periods for item in asked if item.contract.period == "day" and item.periods]
    daily = f", days {min(days)[0]} to {max(days)[-1]}" if days else ""
    gaps = ", as far as they are recorded" if window.replayed else ""
    return f"{', '.join(window.councils)}; months {window.first} to {window.last}{gaps}{daily}"


def _shown(entry: dict[str, Any], asked: list[Asked]) -> bool:
    return any(item.holds(entry["source"], entry["council"], entry["period"]) for item in asked)


def _progress() -> Progress:
    return Progress(
        Line("description"),
        BarColumn(),
        MofNCompleteColumn(),
        Line("note"),
        TimeElapsedColumn(),
        console=trouble,
    )


@contextmanager
def _built_once(api: AirflowApi, settings: Settings) -> Iterator[None]:
    """Hold back `transform`, which each of these sources would start again, and then start it.

    Also after a failure: then the marts have what was loaded.
    """
    api.patch(f"/dags/{TRANSFORM}", {"is_paused": True})
    try:
        yield
    finally:
        api.patch(f"/dags/{TRANSFORM}", {"is_paused": False})
        if marts_are_behind(settings.portal_dsn):
            _start(api)


def _start(api: AirflowApi) -> None:
    api.post(f"/dags/{TRANSFORM}/dagRuns", {"logical_date": None, "conf": {}})


def _wait_for_marts(api: AirflowApi, settings: Settings, progress: Progress) -> None:
    """Wait until `transform` has built the marts from every load; start it if needed."""
    if not marts_are_behind(settings.portal_dsn):
        return
    bar = progress.add_task(TRANSFORM, total=1, note="")
    moved = time.monotonic()
    while True:
        runs = api.get(f"/dags/{TRANSFORM}/dagRuns", order_by="-run_after", limit=5)["dag_runs"]
        active = [run for run in runs if run["state"] not in FINISHED]
        progress.update(bar, note=active[0]["state"] if active else "waiting")
        if active:
            moved = time.monotonic()
        elif not marts_are_behind(settings.portal_dsn):
            break
        elif runs and runs[0]["state"] == "failed" and not _queued_events(api):
            raise DemoFailed(why(api, TRANSFORM, [runs[0]["dag_run_id"]]))
        elif time.monotonic() - moved > EVENT_SECONDS:
            _start(api)
            moved = time.monotonic()
        time.sleep(POLL_SECONDS)
    progress.update(bar, completed=1, note="")


def _queued_events(api: AirflowApi) -> bool:
    try:
        return bool(api.get(f"/dags/{TRANSFORM}/assets/queuedEvents")["total_entries"])
    except AirflowRefused:
        return False
