"""One disturbance of one job, and the judgement: between the attempts, and after the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.child import Fault
from tests.chaos.proxy import Rules
from tests.chaos.world import STATES, Ended, World

# An attempt may fail once more, as when a server that was restarted is not quite there yet.
MOST_RETRIES = 3
EVERY_TIME = 1_000_000


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong with a job: a point that it is killed at, or a service that fails.

    `again` is for the first retry, if that comes to its point.
    """

    job: str
    fault: Fault | None = None
    disturb: Callable[[World], None] | None = None
    before: Callable[[World], None] | None = None
    kill_after_seconds: float | None = None
    again: Fault | None = None
    flaw: str | None = None
    # How the disturbed attempt must end; a kill by the clock may come too late.
    ends: tuple[str, ...] = ("killed",)


@dataclass
class Outcome:
    """How the disturbed attempt ended, and how many requests the retries took."""

    disturbed: Ended
    landing_id: str = ""
    asked_again: int = 0
    retries: int = 0
    kills: int = 0
    entry: dict[str, Any] = field(default_factory=dict)


def run_disturbed(world: World, disturbance: Disturbance, run_id: str) -> Outcome:
    """Bring the partition to the state that it is not in, with a disturbance on the way.

    Raises `DiffersFromUndisturbed` if anything is not as it would be without it.
    """
    before = world.held()
    state = next(name for name in STATES if world.references[name].held != before)
    world.serve(state)
    if disturbance.job == "extract":
        outcome = _disturbed(
            world, disturbance, run_id, None, lambda: _untouched(world, before, run_id)
        )
        outcome.landing_id = outcome.entry["landing"]
        load(world, run_id, outcome.landing_id)
    else:
        landing_id = world.landing_of[state]
        outcome = _disturbed(
            world,
            disturbance,
            run_id,
            landing_id,
            lambda: world.check_between(before, state, run_id),
        )
        outcome.landing_id = landing_id
    world.check_after(state, run_id, outcome.landing_id)
    return outcome


def load(world: World, run_id: str, landing_id: str) -> Ended:
    """Load without a disturbance."""
    ended = world.attempt("load", run_id, landing_id=landing_id)
    assert ended.how == "done", ended
    return ended


def _untouched(world: World, before: Any, run_id: str) -> None:
    """An extract has nothing to do with the warehouse, and leaves no landing that is not whole."""
    assert world.held() == before
    state = next(name for name in STATES if world.references[name].held != before)
    world.check_landings(state, run_id)


def _disturbed(
    world: World,
    disturbance: Disturbance,
    run_id: str,
    landing_id: str | None,
    check: Callable[[], None],
) -> Outcome:
    disturb = disturbance.disturb
    if disturbance.before:
        disturbance.before(world)
    try:
        disturbed = world.attempt(
            disturbance.job,
            run_id,
            disturbance.fault,
            landing_id=landing_id,
            disturb=(lambda: disturb(world)) if disturb else None,
            kill_after_seconds=disturbance.kill_after_seconds,
            flaw=disturbance.flaw,
        )
        assert disturbed.how in disturbance.ends, f"{disturbance} was not met: {disturbed}"
        assert disturbed.how != "failed" or disturbed.retryable, disturbed
    finally:
        world.repair()
    outcome = Outcome(disturbed, kills=int(disturbed.how == "killed"))
    if disturbance.job == "load" and not _running(world):
        world.start_postgresql()
    check()
    world.asked.clear()
    ended = disturbed
    while ended.how != "done":
        outcome.retries += 1
        assert outcome.retries <= MOST_RETRIES, f"{disturbance}: {ended}"
        again = disturbance.again if outcome.retries == 1 else None
        ended = world.attempt(disturbance.job, run_id, again, landing_id=landing_id)
        outcome.kills += ended.how == "killed"
        check()
    outcome.asked_again = sum("crimes-street" in path for path in world.asked)
    answer = ended.answer
    outcome.entry = {"landing": answer} if isinstance(answer, str) else answer
    return outcome


def _running(world: World) -> bool:
    try:
        world.query("select 1")
        return True
    except Exception:
        return False


# --- services that are disturbed -------------------------------------------------------------


def restarting(mode: str, batch: int) -> Disturbance:
    """PostgreSQL is restarted, `fast` or `immediate`, in the middle of a COPY."""
    return Disturbance(
        "load", Fault("mid copy", batch, "pause"), lambda world: world.restart_postgresql(mode),
        ends=("failed",),
    )  # fmt: skip


def stopping(mode: str, point: str) -> Disturbance:
    """PostgreSQL is stopped, and stays down until the load has failed."""
    return Disturbance(
        "load", Fault(point, 1, "pause"), lambda world: world.stop_postgresql(mode),
        ends=("failed",),
    )  # fmt: skip


def cutting_downloads(after_bytes: int) -> Disturbance:
    """The connection to S3 ends in the middle of every page, however often it is asked for."""
    rules = Rules(cut_get_after=after_bytes, times=EVERY_TIME)
    return Disturbance("load", before=lambda world: world.proxy.disturb(rules), ends=("failed",))


def cutting_one_download(after_bytes: int) -> Disturbance:
    """The same once: the page is requested again, and the load continues."""
    rules = Rules(cut_get_after=after_bytes)
    return Disturbance("load", before=lambda world: world.proxy.disturb(rules), ends=("done",))


def cutting_uploads(after_bytes: int, path: str = ".json.gz") -> Disturbance:
    """The connection to S3 ends in the middle of what is written."""
    rules = Rules(path, cut_put_after=after_bytes)
    return Disturbance("extract", before=lambda world: world.proxy.disturb(rules), ends=("failed",))


def filling_s3(quota_bytes: int) -> Disturbance:
    """S3 takes so many bytes more, and then none."""
    rules = Rules(quota_bytes=quota_bytes)
    return Disturbance("extract", before=lambda world: world.proxy.disturb(rules), ends=("failed",))


def crashing_s3(page: int) -> Disturbance:
    """The S3 server is killed and started again between two pages."""
    return Disturbance(
        "extract", Fault("after page", page, "pause"), lambda world: world.crash_s3(),
        ends=("failed", "done"),
    )  # fmt: skip


def hanging_api(page: int) -> Disturbance:
    """From the next page on the API does not answer in time."""
    return Disturbance(
        "extract", Fault("after page", page, "pause"), lambda world: world.hang(), ends=("failed",)
    )
