"""Jobs killed, and services disturbed, where chance says: `make test-chaos`.

`KILLS` is how often a process must have been killed (200), `CHAOS_SEED` makes
the same choices again. After every `MARTS_EVERY` cases the marts are built and
compared too, which costs more than the case itself.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.chaos import scenario
from tests.chaos.child import Fault
from tests.chaos.points import EXTRACT_POINTS, LOAD_POINTS
from tests.chaos.scenario import Disturbance, run_disturbed
from tests.chaos.world import STATES, World, world

KILLS = int(os.environ.get("KILLS") or 200)
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
MARTS_EVERY = 25
# What a load of either state has at least.
PAGES, BATCHES = 16, 8
LONGEST_JOB_SECONDS = 1.5


@pytest.fixture(scope="module")
def chaos() -> Iterator[World]:
    with world() as found:
        yield found


def fault(chance: random.Random, job: str) -> Fault:
    if job == "extract":
        return Fault(chance.choice(EXTRACT_POINTS[:2]), chance.randint(1, PAGES))
    return Fault("mid copy", chance.randint(1, BATCHES))


def named(chance: random.Random, job: str) -> Fault:
    """One of the points that a job comes to once, or more often."""
    point = chance.choice(EXTRACT_POINTS if job == "extract" else LOAD_POINTS)
    often = {"after page": PAGES, "half page": PAGES, "mid copy": BATCHES, "before download": PAGES}
    return Fault(point, chance.randint(1, often.get(point, 1)))


def service(chance: random.Random) -> Disturbance:
    mode = chance.choice(["immediate", "fast"])
    return chance.choice(
        [
            lambda: scenario.restarting(mode, chance.randint(1, BATCHES)),
            lambda: scenario.stopping(mode, chance.choice(["after delete", "before commit"])),
            lambda: scenario.cutting_downloads(chance.randint(1, 1_200)),
            lambda: scenario.cutting_uploads(chance.randint(1, 400)),
            lambda: scenario.cutting_uploads(chance.randint(1, 4_000), "manifest.json"),
            lambda: scenario.filling_s3(chance.randint(500, 12_000)),
            lambda: scenario.crashing_s3(chance.randint(1, PAGES - 1)),
            lambda: scenario.hanging_api(chance.randint(1, PAGES - 1)),
        ]
    )()


def drawn(chance: random.Random) -> Disturbance:
    job = chance.choice(["extract", "load"])
    kind = chance.random()
    if kind < 0.1:
        return service(chance)
    if kind < 0.3:
        seconds = chance.uniform(0, LONGEST_JOB_SECONDS)
        return Disturbance(job, kill_after_seconds=seconds, ends=("killed", "done"))
    again = fault(chance, job) if chance.random() < 0.3 else None
    return Disturbance(job, named(chance, job), again=again)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def what(disturbance: Disturbance) -> str:
    if disturbance.kill_after_seconds is not None:
        return f"{disturbance.job}, by the clock"
    if disturbance.ends == ("killed",) and disturbance.fault:
        return f"{disturbance.job}, {disturbance.fault.point}"
    return f"{disturbance.job}, a service"


@pytest.mark.timeout(0)
def test_after_random_kills_everything_is_as_in_undisturbed_runs(chaos):
    chance = random.Random(SEED)  # noqa: S311
    disturbed: Counter[str] = Counter()
    kills = cases = 0
    began = time.monotonic()
    say(f"\nCHAOS_SEED={SEED} KILLS={KILLS}")

    while kills < KILLS:
        disturbance = drawn(chance)
        cases += 1
        try:
            outcome = run_disturbed(chaos, disturbance, f"seed {SEED}, case {cases}")
        except BaseException:
            say(f"CHAOS_SEED={SEED}, case {cases}: {disturbance}")
            raise
        kills += outcome.kills
        disturbed[what(disturbance)] += outcome.disturbed.how != "done"
        if cases % MARTS_EVERY == 0 or kills >= KILLS:
            held = chaos.held()
            (state,) = [name for name in STATES if chaos.references[name].held == held]
            chaos.check_marts(state)
            seconds = time.monotonic() - began
            say(f"{kills} kills in {cases} cases, {seconds:.0f} s")

    for place, times in sorted(disturbed.items()):
        say(f"{times:5d}  {place}")
    assert kills >= KILLS
