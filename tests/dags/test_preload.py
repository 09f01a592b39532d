"""What the scheduler has imported, its tasks need not import; but they run edited code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

PROGRAM = """
import os, sys
from pathlib import Path
from plugins import preload

preload.OURS = ("include.answer",)
preload.import_ours()
before = sys.modules["include.answer"]

def task():
    pid = os.fork()
    if not pid:
        known = sys.modules.get("include.answer") is before
        import include.answer
        print("known" if known else "new", include.answer.VALUE, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)

task()
Path(before.__file__).write_text("VALUE = 'edited'", encoding="utf-8")
task()
Path(before.__file__).unlink()
Path(before.__file__).with_name("answer").mkdir()
Path(before.__file__).with_name("answer").joinpath("__init__.py").write_text("VALUE = 'moved'")
task()
"""

POLARS = """
import importlib, os
from pathlib import Path
from plugins import preload

for module in preload.MODULES:
    importlib.import_module(module)
names = {(item / "comm").read_text().strip() for item in Path("/proc/self/task").iterdir()}
print(sorted(name for name in names if name.startswith(("polars-0", "tokio", "async"))), flush=True)
pid = os.fork()
if not pid:
    import polars, pyarrow, pyarrow.compute
    frame = polars.DataFrame({"text": [str(n % 100) for n in range(100_000)]})
    counted = frame.group_by("text").len().sort("text")
    total = pyarrow.compute.sum(pyarrow.table({"n": range(100_000)}).sort_by("n")["n"])
    print(counted.height, total, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def run(program: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{CHECKOUT}", "AIRFLOW_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout.splitlines()


def test_a_task_keeps_what_was_imported_before_unless_a_file_of_the_project_was_edited(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "__init__.py").touch()
    (tmp_path / "include" / "answer.py").write_text("VALUE = 'as imported'")

    said = run(PROGRAM, tmp_path)

    assert said == ["known as imported", "new edited", "new moved"]


def test_polars_and_arrow_start_no_thread_before_the_fork_and_compute_after_it(tmp_path):
    assert run(POLARS, tmp_path) == ["[]", "100 4999950000"]
