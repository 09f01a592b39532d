"""What the measurements mean: the knee, a day with failures, limits, ten times as much."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.benchmarks.api.availability import CAUSES, Assumed, Measured, simulated
from tests.benchmarks.api.mix import SHARES
from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.queueing import CORES, Model, cpu_a_request, fitted, sustained
from tests.benchmarks.api.servers import OURS, WORKERS

Table = tuple[Sequence[str], list[Sequence[str]]]
DAYS, COPIES = 1000, (1, 2, 3)
# Of the cores, so that a copy that is lost can be made up for.
_USED = 0.6
_MUCH = 100_000


def load(results: Sequence[Result]) -> Table:
    """Each fixed rate of our server: measured, and by the model."""
    model = fitted(results)
    rows = []
    ours = (one for one in results if one["phase"] in ("rate", "knee") and one["server"] == OURS)
    for one in sorted(ours, key=lambda one: one["rate"]):
        by_model = model.mean(one["rate"]) if model else math.nan
        said = f"{1000 * by_model:.1f}" if math.isfinite(by_model) else "over capacity"
        rows.append(
            (
                f"{one['rate']:,}",
                f"{one['answered'] / one['seconds']:,.0f}",
                f"{one['mean']:.1f}" if "mean" in one else "",
                said if model else "not fitted",
                f"{one['p99']:.1f}" if "p99" in one else "",
                f"{one['errors']:,}",
                f"{one['cpu_microseconds']:.0f}",
                f"{1e6 * cpu_a_request(one):.0f}",
            )
        )
    heads = ("asked a second", "answered a second", "mean, ms", "mean of the model", "p99, ms",
             "errors", "CPU µs of the server", "with the generator")  # fmt: skip
    return heads, rows


def model(results: Sequence[Result]) -> str:
    """The fitted model in a sentence or two."""
    found, whole = fitted(results), sustained(results)
    if found is None:
        return f"Rates that were answered whole: {len(whole)}. That is too few for the model."
    highest = whole[-1]
    return (
        f"The model, M/G/{CORES}, has two parameters, fitted to the means of the rates that were "
        f"answered whole: {1e6 * found.base:.0f} µs that do not wait, and "
        f"{1e6 * found.service:.0f} µs of service on {CORES} cores, which the generator shares "
        f"(measured CPU time at {highest['rate']:,} a second: "
        f"{1e6 * cpu_a_request(highest):.0f} µs). The squared coefficient of variation, "
        f"{found.variation:.2f}, is that of the CPU time between kinds of requests. By it, the "
        f"capacity is {found.capacity:,.0f} requests a second, and the knee (the most requests for "
        f"the time that each takes) is at {found.knee:,.0f}. The highest rate that was answered "
        f"whole is {highest['rate']:,}."
    )


def events(results: Sequence[Result]) -> Table:
    """What happened under load, and its results."""
    says = {
        "switch": ("another version is published", "switched_seconds", "every process serves it"),
        "new version": ("the same", "switched_seconds", "every process serves it"),
        "kill": (f"one of {WORKERS} processes is killed", "back_seconds", "another one serves"),
        "outage": ("S3 is unavailable", "outage_seconds", "S3 is back"),
        "kill in an outage": (
            "a process is killed while S3 is unavailable", "back_seconds", "another one serves",
        ),
    }  # fmt: skip
    rows = [
        (says[one["phase"]][0], f"{one['rate']:,}",
         f"{says[one['phase']][2]} after {one[says[one['phase']][1]]} s",
         f"{one['errors'] - one['unanswered']:,}", f"{one['unanswered']:,}", f"{one['due']:,}",
         *(f"{one[name]:.1f}" if name in one else "" for name in ("p50", "p99", "max")))
        for one in results
        if one["phase"] in says
    ]  # fmt: skip
    heads = ("event", "requests a second", "", "wrong or lost", "unanswered", "of", "p50, ms",
             "p99, ms", "max, ms")  # fmt: skip
    return heads, rows


def assumed() -> str:
    """What the simulation assumes."""
    one = Assumed()
    shortest, longest = (seconds / 60 for seconds in one.outage_seconds)
    return (
        f"{one.deploys} deploys, {one.versions} new versions, {one.outages} outages of S3 of "
        f"{shortest:.0f} to {longest:.0f} minutes, {one.killed_a_copy} killed processes a copy, "
        f"and the loss of a copy once in {1 / one.lost_probability:.0f} days, whose new host takes "
        f"{one.host_seconds:.0f} s; the load balancer notices after {one.noticed_seconds:.0f} s. A "
        f"copy that starts while S3 is unavailable is ready when S3 is back. With several copies, "
        f"a deploy replaces one after another"
    )


def availability(results: Sequence[Result]) -> Table:
    """The share of requests answered in simulated days, and what loses the rest."""
    measured = Measured.of(results)
    heads = ("copies", "mean", "worst day", "minutes lost a day",
             *(f"by {cause}" for cause in CAUSES))  # fmt: skip
    if measured is None:
        return heads, []
    rows = []
    for copies in COPIES:
        found = simulated(measured, copies, DAYS)
        lost = [found.lost_seconds[cause] / 60 / DAYS for cause in CAUSES]
        rows.append(
            (str(copies), f"{100 * found.mean:.4f} %", f"{100 * min(found.days):.2f} %",
             f"{sum(lost):.3f}", *(f"{one:.3f}" for one in lost))
        )  # fmt: skip
    return heads, rows


def limits(results: Sequence[Result], rows: int, parquet_mb: float) -> str:
    """What limits it, and what ten times as much needs, in a list."""
    found = [*_cpu(results), *_ten_times(results), *_data(results, rows, parquet_mb)]
    return "\n".join(f"- {one}" for one in found)


def _cpu(results: Sequence[Result]) -> list[str]:
    whole = sustained(results)
    if not whole:
        return ["Not one rate was answered whole."]
    one = whole[-1]
    cores = one["rate"] * cpu_a_request(one)
    said = [
        f"**CPU.** At {one['rate']:,} a second, server and generator take {cores:.1f} of {CORES} "
        f"cores, the server {one['rate'] * one['cpu_microseconds'] / 1e6:.1f} of them."
    ]
    taken = {
        two["kind"]: SHARES[two["kind"]] * two["cpu_microseconds"]
        for two in results
        if two["phase"] == "peak" and two["server"] == OURS and two["kind"] in SHARES
    }
    if taken:
        computed = sum(taken.get(kind, 0.0) for kind in ("filtered", "aggregate"))
        said.append(
            f"**Queries.** Filtered rows and aggregates, three in ten requests, are computed: they "
            f"take {100 * computed / sum(taken.values()):.0f} % of the server's CPU time. Of the "
            "others, most is the HTTP server's."
        )
    return said


def _ten_times(results: Sequence[Result]) -> list[str]:
    whole = sustained(results)
    model: Model | None = fitted(results)
    if not whole or model is None:
        return []
    one = whole[-1]
    each = _USED * CORES / (one["cpu_microseconds"] / 1e6)
    gigabits = 8 * one["bytes"] / max(1, one["answered"]) * _MUCH / 1e9
    return [
        f"**{_MUCH:,} requests a second** need {math.ceil(_MUCH / each)} copies, each on {CORES} "
        f"cores of its own that it uses to {100 * _USED:.0f} %, and {gigabits:.1f} Gbit/s. Copies "
        "share nothing, so nothing else grows with them but reads of the index, one every 2 s of "
        "each process. The addresses that many ask for are better kept in a cache in front: it may "
        "keep an answer for 30 s, so they would reach the servers a few times a minute."
    ]


def _data(results: Sequence[Result], rows: int, parquet_mb: float) -> list[str]:
    by_phase = {one["phase"]: one for one in results}
    small = by_phase.get("start")
    large = next((by_phase[name] for name in by_phase if name.startswith("start with")), None)
    if not small or not large:
        return []
    return [
        f"**Ten times the data.** A server starts in {small['start_seconds']} s, of which loading "
        f"{rows:,} rows ({1000 * parquet_mb:.0f} kB of Parquet) takes {small['load_seconds']} s; "
        f"with ten times the rows, {large['start_seconds']} s and {large['load_seconds']} s, and a "
        f"process takes {large['process_mb']:.0f} MB instead of {small['process_mb']:.0f}. Filters "
        "look at every row, so their CPU time grows too. Queries of more than 400,000 values are "
        "computed in two threads beside the others, and those of more than a billion are refused."
    ]
