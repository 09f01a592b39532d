"""What would a change to the models do? The working tree against another revision."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.errors import PermanentError
from include.settings import CHECKOUT
from include.transform.diff import own_schemas, report
from include.transform.diff.run import Compared, compare_projects
from include.transform.project import FOLDER, copy_without

# Makes each revision build into schemas of its own, whatever its own version does.
_ISOLATES = Path("macros") / "generate_schema_name.sql"


@dataclass(frozen=True)
class Diff:
    """What the working tree changes, compared with a commit; `kept` are schemas that stay."""

    base: str
    head: str
    compared: Compared
    kept: tuple[str, ...]


def diff(*, dsn: str, base: str = "", keep: bool = False, progress: Callable[[str], None]) -> Diff:
    """Build the models of both revisions side by side and compare their marts.

    `base` is a commit, branch or tag; by default, where the working tree's
    branch left `main`. Nothing of the checkout is touched. The schemas are
    dropped afterwards, however it ends, unless `keep`.

    Raises `PermanentError` if there is no such revision or the role may not
    create schemas.
    """
    commit = resolve(base)
    clean(dsn=dsn, progress=progress)
    run = own_schemas.new_run()
    with tempfile.TemporaryDirectory(prefix="wandle-diff-") as folder:
        place = Path(folder)
        extract(commit, place)
        copy_without(FOLDER, place / "head", ())
        project = place / "base"
        (project / _ISOLATES).parent.mkdir(exist_ok=True)
        (project / _ISOLATES).write_bytes((FOLDER / _ISOLATES).read_bytes())
        finished = False
        try:
            compared = compare_projects(
                dsn=dsn, base=project, head=place / "head", run=run, home=place, progress=progress
            )
            finished = True
        finally:
            if not (keep and finished):
                own_schemas.drop(dsn, run)
        if keep:
            own_schemas.keep(dsn, run)
    kept = (f"{run}base_marts", f"{run}head_marts") if keep else ()
    return Diff(_described(commit), _working_tree(), compared, kept)


def clean(*, dsn: str, kept: bool = False, progress: Callable[[str], None]) -> None:
    """Drop the schemas of runs that were killed, and with `kept` those of `keep`, naming them."""
    dropped, left = own_schemas.drop_left(dsn, kept=kept)
    for run in dropped:
        progress(f"Dropped the schemas {run}... of an earlier run")
    for run in left:
        progress(f"Kept by an earlier run: {run}... To drop them: `wandle diff --drop-kept`")


def resolve(base: str) -> str:
    """The commit of a revision, or where the working tree's branch left `main`.

    Raises `PermanentError` if there is none.
    """
    if base:
        return _commit(base)
    for main in ("main", "origin/main"):
        try:
            commit = _commit(main)
        except PermanentError:
            continue
        return _git("merge-base", commit, "HEAD").decode().strip()
    raise PermanentError(
        "diff: this repository has no branch `main` to compare with. Name a commit, branch or "
        "tag: `wandle diff --base REV`."
    )


def _commit(name: str) -> str:
    found = _git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return found.decode().strip()


def extract(commit: str, place: Path) -> None:
    """Write the dbt project of a commit to the folder `base` in `place`.

    Raises `PermanentError` if it has none, or has links that lead out of it.
    """
    project = FOLDER.relative_to(CHECKOUT).as_posix()
    archive = _git("archive", "--format=tar", commit, "--", project)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(place, filter="data")
    except tarfile.FilterError as error:
        raise PermanentError(
            f"diff: {commit[:10]} has a link in {project} that points outside it: "
            f"{error.tarinfo.name}. Compare with a commit that has none: `--base REV`."
        ) from error
    (place / project).rename(place / "base")


def _described(commit: str) -> str:
    return _git("log", "-1", "--format=%h %s", commit).decode().strip()


def _working_tree() -> str:
    changed = _git("status", "--porcelain", "--", str(FOLDER)).decode().splitlines()
    described = _described("HEAD")
    files = f"{len(changed)} uncommitted file{'' if len(changed) == 1 else 's'}"
    return f"{described}, with {files} of dbt_project" if changed else described


def _git(*arguments: str) -> bytes:
    command = ("git", "-C", str(CHECKOUT), *arguments)
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise PermanentError("diff: git is not installed.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise PermanentError(
            f"diff: git {arguments[0]} failed: {said[-1] if said else 'without a message'}. Run it "
            "in a git checkout that has both revisions; in CI, fetch the whole history."
        ) from error


def as_json(found: Diff) -> dict[str, Any]:
    """A comparison as JSON values."""
    compared = found.compared
    return {
        "base": found.base,
        "head": found.head,
        "models": compared.built,
        "marts": report.as_json(compared.marts),
        "failures": compared.failures,
        "notes": compared.notes,
        "kept": found.kept,
    }


def markdown(found: Diff) -> str:
    """A comparison as Markdown."""
    compared = found.compared
    intro = [f"{report.code(found.head)} compared with {report.code(found.base)}."]
    if compared.built:
        models = ", ".join(map(report.code, compared.built))
        intro += ["", f"Built, because they or what they select from changed: {models}."]
    if not compared.anything and not compared.failures:
        intro += ["", "**No mart would change.**"]
    return report.markdown(
        compared.marts,
        title="What this change does to the marts",
        intro=intro,
        failures=compared.failures,
        notes=compared.notes,
    )
