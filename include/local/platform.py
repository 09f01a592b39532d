"""Start, stop and inspect the local platform."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from include.councils.model import broken_councils
from include.jobs.pipeline.origin import listed
from include.local import processes
from include.local.home import HOST, port, refuse_path
from include.local.lock import hold
from include.local.processes import PlatformFailed, Recorded, Service, recorded
from include.local.services import airflow, case_system, object_store, postgres
from include.local.source_secrets import lacking_secrets
from include.local.state import (
    ROLES,
    SECRETS,
    Addresses,
    as_variables,
    prepare,
    read_secrets,
    with_addresses,
)
from include.local.status import NAMES, status
from include.settings import CHECKOUT, Settings
from include.sources.model import broken_contracts, contracts
from include.terminal import say

Report = Callable[[str], None]

STOP_SECONDS = 10.0

SHOWN = (
    *(
        "reader_dsn",
        "loader_dsn",
        "developer_dsn",
        "s3_endpoint",
        "s3_access_key",
        "s3_secret_key",
        "bucket",
    ),
    *("airflow_url", "airflow_user", "airflow_password"),
)


def up(settings: Settings, *, report: Report = say) -> None:
    """Start every service that is not running, and wait until all respond.

    Idempotent. A service whose command or environment has changed is
    restarted. Raises `PlatformFailed` with the service and the end of its log,
    `PlatformBusy` if another command is using the state folder, `WrongPayloads`
    if the payload directory has no recordings, and `WrongSetting` if the state
    folder's data come from another origin. A platform that another checkout has
    started is not taken over: `PlatformFailed`.
    """
    for path in (CHECKOUT, settings.home):
        refuse_path(path)
    with hold(settings.home, "up", report=report):
        _refuse_other_checkout(settings.home)
        _refuse_wrong_payloads(settings)
        local = prepare(settings)
        airflow.write_login(local)
        _refuse_taken_ports(local)
        due: dict[str, str] = {}
        with _parallel() as (run, give_up):
            launch = _Launch(local, report, give_up)
            run(launch.ensure, object_store.s3(local))
            run(launch.ensure_sandbox)
            launch.ensure_postgres()
            launch.upgrade_airflow()
            run(lambda: due.update(migrate_warehouse(local)))
            run(case_system.create, local)
            api_server, *others = airflow.services(local)
            run(launch.ensure, api_server)  # the slowest, and independent of the tables
            run(launch.ensure_airflow, others)
        lacking = lacking_secrets(local)
        airflow.open_schedules(local, left_out=lacking)
        for place in listed(contracts().values(), local):
            report(f"Sources   {place}")
        report(f"Airflow   {local.airflow_url} (user {local.airflow_user}, see `wandle env`)")
        report(f"S3        {local.s3_endpoint} (bucket {local.bucket})")
        report(f"Database  {HOST}:{port(local.port_base, 'postgresql')} (warehouse)")
        for error in (*broken_contracts().values(), *broken_councils().values()):
            report(f"Broken    {error}")
        for name, secret in lacking.items():
            report(
                f"Due       {name}: set its secret: `wandle secrets set {secret}`. "
                f"Then unpause ingest_{name}"
            )
        for line in (*due.values(), *_loaded_by_older_rules(local, but=due)):
            report(f"Due       {line}")


def start_sandbox(settings: Settings, *, report: Report = say) -> Settings:
    """Start only the sandbox, if it is not running; returns the platform's settings."""
    with hold(settings.home, "sandbox", report=report):
        _refuse_other_checkout(settings.home)
        _refuse_wrong_payloads(settings)
        local = prepare(settings)
        _Launch(local, report, Event()).ensure_sandbox()
    return local


def down(settings: Settings, *, report: Report = say) -> None:
    """Stop every service, Airflow first and PostgreSQL last; kill any that do not exit."""
    home = settings.home
    if not home.exists():
        report(f"Nothing to stop: there is no platform in {home}.")
        return
    with hold(home, "down", report=report):
        stopped = airflow.stop(home, STOP_SECONDS)
        stopped += processes.stop(home, ("sandbox", "s3"), signal.SIGTERM, STOP_SECONDS)
        stopped += postgres.stop(settings)
        report(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def open_new_schedules(settings: Settings, sources: Collection[str], *, report: Report) -> None:
    """Unpause the DAGs of new sources, if Airflow is running here."""
    if sources and _airflow_runs(settings):
        airflow.open_schedules(prepare(settings), sources)
        for name in sources:
            report(f"unpaused the DAG ingest_{name}, from its next scheduled run on")


def paused_dags(settings: Settings) -> list[str]:
    """The DAGs that are paused; none if Airflow is not running here."""
    return airflow.paused_dags(prepare(settings)) if _airflow_runs(settings) else []


def _airflow_runs(settings: Settings) -> bool:
    start = recorded(settings.home, "api-server")
    return start is not None and start.process() is not None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that tools need to reach the warehouse, the bucket and Airflow."""
    if not (settings.home / SECRETS).exists():
        return as_variables(prepare(settings), SHOWN)
    addresses = Addresses.of_this_machine(settings.port_base)
    return as_variables(with_addresses(settings, addresses), SHOWN)


class _Launch:
    """One `up`: starts services that are not running or have changed."""

    def __init__(self, settings: Settings, report: Report, give_up: Event) -> None:
        self._settings = settings
        self._report = report
        self._give_up = give_up

    def ensure(self, service: Service) -> None:
        start = recorded(self._settings.home, service.name)
        if start is not None:
            if _runs_as_it_should(start, service):
                return
            self._report(f"{service.name}: {_why_restarted(start)}")
            processes.stop(self._settings.home, [service.name], signal.SIGTERM, STOP_SECONDS)
        self._start(service)

    def ensure_sandbox(self) -> None:
        if not self._settings.live:
            self.ensure(object_store.sandbox(self._settings))

    def ensure_postgres(self) -> None:
        began = time.monotonic()
        if postgres.create_cluster(self._settings):
            self._report(f"postgresql: cluster created ({time.monotonic() - began:.1f} s)")
        service = postgres.service(self._settings)
        start = recorded(self._settings.home, service.name)
        if start is None or not _runs_as_it_should(start, service):
            if start is not None:
                self._report(f"{service.name}: {_why_restarted(start)}, with Airflow")
                airflow.stop(self._settings.home, STOP_SECONDS)
            postgres.stop(self._settings)
            self._start(service)
        postgres.create_databases(self._settings)

    def upgrade_airflow(self) -> None:
        """Stop Airflow and migrate its metadata if another version of Airflow wrote them."""
        before = postgres.airflow_migrated_for(self._settings)
        if before in (None, airflow.installed()):
            return
        airflow.stop(self._settings.home, STOP_SECONDS)
        began = time.monotonic()
        airflow.migrate_metadata(self._settings)
        self._report(
            f"airflow: metadata database migrated from {before} to {airflow.installed()} "
            f"({time.monotonic() - began:.1f} s)"
        )

    def ensure_airflow(self, others: list[Service]) -> None:
        began = time.monotonic()
        if airflow.migrate_metadata(self._settings):
            self._report(f"airflow: metadata database created ({time.monotonic() - began:.1f} s)")
        with ThreadPoolExecutor() as pool:
            for ensured in [pool.submit(self.ensure, service) for service in others]:
                ensured.result()

    def _start(self, service: Service) -> None:
        if self._give_up.is_set():
            return
        began = time.monotonic()
        processes.start(self._settings.home, service, give_up=self._give_up)
        self._report(f"{service.name}: started ({time.monotonic() - began:.1f} s)")


@contextmanager
def _parallel() -> Iterator[tuple[Callable[..., None], Event]]:
    """Run functions in parallel; the first failure makes the others give up."""
    give_up = Event()
    futures: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=16) as pool:
        try:
            yield lambda work, *args: futures.append(pool.submit(work, *args)), give_up
            for done in wait(futures, return_when=FIRST_EXCEPTION).done:
                done.result()
        except BaseException:
            give_up.set()
            raise


def migrate_warehouse(settings: Settings) -> dict[str, str]:
    """Migrate the warehouse, with the passwords of the state folder.

    Returns why tables refuse to follow their contracts, by source: all else works without them.
    """
    from include.jobs.migrate import migrate
    from include.warehouse.schema.migrate import MigrationRefused

    generated = read_secrets(settings.home)
    passwords = {role: generated[role] for role in ROLES.values()}
    try:
        migrate(settings.need("admin_dsn"), passwords, settings)
    except MigrationRefused as refused:
        return refused.reasons
    return {}


def _loaded_by_older_rules(settings: Settings, but: Collection[str]) -> list[str]:
    from include.jobs.rules import loaded_by_older_rules

    return loaded_by_older_rules(settings.need("loader_dsn"), settings, but)


def _refuse_other_checkout(home: Path) -> None:
    """Its DAGs, models and tables would be replaced by those of this checkout."""
    for name in NAMES:
        start = recorded(home, name)
        if start and start.checkout not in ("", str(CHECKOUT)) and start.process():
            raise PlatformFailed(
                f"platform: {home} is in use by the checkout {start.checkout}, whose {name} is "
                "running. Stop it (`wandle down`), or choose another state folder for this "
                "checkout with WANDLE_HOME, and other ports with WANDLE_PORT_BASE."
            )


def _refuse_wrong_payloads(settings: Settings) -> None:
    if settings.payloads and not settings.live:
        from sandbox.app import recorded_apis

        recorded_apis(settings.payloads)


def _refuse_taken_ports(settings: Settings) -> None:
    wanted = [each for each in status(settings) if each.state == "port in use"]
    if settings.live:
        wanted = [each for each in wanted if each.name != "sandbox"]
    if wanted:
        taken = "; ".join(f"{each.address} ({each.name}) by {each.owner}" for each in wanted)
        raise PlatformFailed(
            f"platform: ports in use: {taken}. Stop these processes, or choose other ports with "
            f"WANDLE_PORT_BASE (now {settings.port_base})."
        )


def _runs_as_it_should(start: Recorded, service: Service) -> bool:
    return start.process() is not None and start.fingerprint == service.fingerprint


def _why_restarted(start: Recorded) -> str:
    if start.process() is None:
        return f"process {start.pid} is dead; restarting"
    return "its settings have changed; restarting"
