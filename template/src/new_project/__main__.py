"""`python -m new_project ingest [SOURCE]`, `reload [SOURCE]` or `transform`."""

from __future__ import annotations

import argparse
import logging
import sys

from new_project import jobs
from new_project.contract import contracts
from new_project.settings import Settings


def main(arguments: list[str] | None = None) -> None:
    """Run one job; a failure is an exception, and so exit code 1."""
    known = contracts()
    parser = argparse.ArgumentParser(prog="new_project", description=__doc__)
    parser.add_argument("job", choices=("ingest", "reload", "transform"))
    parser.add_argument("source", nargs="*", help=f"one of {', '.join(known)}; default: all")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if unknown := set(asked.source) - known.keys():
        parser.error(f"unknown source {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    settings = Settings()
    if asked.job == "transform":
        jobs.transform(settings)
        return
    job = jobs.ingest if asked.job == "ingest" else jobs.reload
    for name in asked.source or known:
        job(settings, known[name])


if __name__ == "__main__":
    main()
