"""The `wandle` command: every step of the pipeline by hand, and the platform on this machine.

A command is a function of the module that holds its group.
"""

from __future__ import annotations

import logging
import sys

import typer
from rich.logging import RichHandler
from rich.markup import escape

from include.cli import define, evidence, keep, look, platform, steps
from include.cli.terminal import trouble
from include.errors import PipelineError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Public-API data to S3, PostgreSQL and dbt marts: the platform, and every step by hand.",
    epilog="Begin with `make demo`. Each command has examples: `wandle ingest --help`.",
)

# The groups of `wandle --help`, in its order.
GROUPS = (
    ("The platform on this machine", platform.commands),
    ("The pipeline, step by step", steps.commands),
    ("Look into it", look.commands),
    ("Look into it", evidence.commands),
    ("What is kept", keep.commands),
    ("Define sources and councils", define.commands),
)
for _title, _commands in GROUPS:
    for _command in _commands.registered_commands:
        _command.rich_help_panel = _title
    app.add_typer(_commands)


def main() -> None:
    """Run the command line; failures raised on purpose are one message and exit code 1."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=trouble, show_time=False, show_path=False)],
    )
    try:
        app()
    except PipelineError as error:
        trouble.print(f"[red]wandle:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        trouble.print("wandle: stopped. Nothing is lost: run the same command to go on.")
        sys.exit(130)
