"""The first quarter of an hour on a GPU: what is found stays found, whatever ends the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command_line import environment
from support.this_gpu import has_driver

from tapetum.benchmarks.gpu.first_contact import (
    SYMBOLS,
    Outcome,
    Stage,
    driver_symbols,
    first_contact,
    machine_facts,
    run_stage,
    stages,
)
from tapetum.benchmarks.measure.errors import BenchmarkError

ROOT = Path(__file__).parents[2]
HIDDEN = (
    "openvino",
    "onnx",
    "onnxruntime",
    "jsonschema",
    "cv2",
    "aiortc",
    "aiohttp",
    "matplotlib",
)
"""What a machine with a GPU may lack."""


def says(name: str, code: str, limit_s: float = 30, *, needed: bool = False) -> Stage:
    return Stage(name, ("-c", code), limit_s, needed=needed)


def contact(folder: Path, todo: list[Stage], budget_s: float = 60) -> list[Outcome]:
    return first_contact(folder, todo, budget_s=budget_s, report=lambda _: None)


def test_every_stage_leaves_a_file_also_one_that_fails(tmp_path: Path) -> None:
    good, bad = says("good", "print('12 GB/s')"), says("bad", "import sys; sys.exit('no GPU')")
    ended = contact(tmp_path / "new", [bad, good])
    assert [(outcome.name, outcome.state, outcome.status) for outcome in ended] == [
        ("bad", "failed", 1),
        ("good", "done", 0),
    ]
    kept = json.loads((tmp_path / "new" / "good.json").read_text())
    assert kept["stage"]["output"] == "12 GB/s\n"
    assert kept["machine"] == json.loads(json.dumps(machine_facts()))
    assert kept["machine"]["packages"]["numpy"]


def test_a_stage_ends_at_its_limit_with_all_that_it_began(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
print("began", flush=True)
time.sleep(60)
"""
    outcome = run_stage(says("endless", code), 5)
    assert (outcome.state, outcome.output) == ("out of time", "began\n")
    assert outcome.seconds < 30
    with pytest.raises(ProcessLookupError):
        gone_or_zombie(int((tmp_path / "pid").read_text()))


def gone_or_zombie(pid: int) -> None:
    """Raise where a process is over, though nobody may have asked for its status yet."""
    for _ in range(50):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            raise ProcessLookupError
        time.sleep(0.1)


def test_the_same_command_goes_on_where_it_stopped(tmp_path: Path) -> None:
    once = says("once", f"open({str(tmp_path / 'runs')!r}, 'a').write('x')")
    slow, late = says("slow", "import time; time.sleep(60)", limit_s=1), says("late", "")
    contact(tmp_path, [once, slow])
    quick = says("slow", "print('this time')")
    ended = contact(tmp_path, [once, quick, late])
    assert [outcome.state for outcome in ended] == ["done", "done", "done"]
    assert ended[1].output == "this time\n"
    assert (tmp_path / "runs").read_text() == "x"


def test_what_has_no_time_is_not_begun(tmp_path: Path) -> None:
    assert contact(tmp_path, [says("one", "")], budget_s=1) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_follows_where_what_is_needed_fails(tmp_path: Path) -> None:
    todo = [says("driver", "import sys; sys.exit(1)", needed=True), says("kernels", "")]
    assert [outcome.name for outcome in contact(tmp_path, todo)] == ["driver"]
    todo = [says("driver", "", needed=True), says("kernels", "")]  # it was installed meanwhile
    assert [outcome.state for outcome in contact(tmp_path, todo)] == ["done", "done"]


def test_a_program_that_is_not_installed_is_no_failure(tmp_path: Path) -> None:
    stage = Stage("sanitizer", ("-c", ""), 5, program="no-such-sanitizer")
    (outcome,) = contact(tmp_path, [stage])
    assert (outcome.state, outcome.output) == ("not here", "no-such-sanitizer is not installed")


def test_a_folder_of_something_else_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "driver.json").write_text("{}")
    with pytest.raises(BenchmarkError, match=r"driver\.json is no result of a stage"):
        contact(tmp_path, [says("driver", "")])


def test_symbols_are_looked_up_in_the_library() -> None:
    known = {"libc.so.6": ("printf", "no_such_function"), "libnone.so.1": ("cuInit",)}
    assert driver_symbols(known) == {
        "libc.so.6": {"printf": True, "no_such_function": False},
        "libnone.so.1": {"cuInit": False},
    }
    assert "cuStreamGetCaptureInfo_v2" in SYMBOLS["libcuda.so.1"]


def test_every_stage_has_a_name_of_its_own_and_files_that_are_there() -> None:
    todo = stages(Path("results"), ROOT / "tests")
    assert len({stage.name for stage in todo}) == len(todo)
    assert sum(stage.limit_s for stage in todo[:6]) <= 12 * 60
    files = [word for stage in todo for word in stage.command if word.endswith(".py")]
    assert len(files) > 8
    assert all(Path(file).is_file() for file in files)
    names = [stage.name for stage in todo]
    assert names.index("measure-pipeline") < names.index("live-grid") < names.index("live-unet")
    (live,) = (stage for stage in todo if stage.name == "live-unet")
    answer = run_stage(live, 60)
    assert answer.state == ("done" if has_driver() else "failed")
    assert has_driver() or "use --device cpu" in answer.output
    without_tests = stages(Path("results"), None)
    assert [stage.name for stage in without_tests][:2] == ["driver", "measure-ceilings"]


@pytest.mark.slow
def test_the_tests_are_found_on_a_machine_that_has_little(tmp_path: Path) -> None:
    """Neither OpenVINO nor what else only others' tests need."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nfor name in {HIDDEN}:\n    sys.modules[name] = None\n"
    )
    todo = stages(Path("results"), ROOT / "tests")
    files = [word for stage in todo for word in stage.command if word.endswith(".py")]
    plugins = ("xdist", "xdist.looponfail")
    without = [word for plugin in plugins for word in ("-p", f"no:{plugin}")]
    command = ["-m", "pytest", *without, "--collect-only", "-q", "-m", "needs_cuda", *files]
    answer = subprocess.run(
        [sys.executable, *command, "-o", "filterwarnings=default"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment() | {"PYTHONPATH": str(tmp_path)},
    )
    assert answer.returncode == 0, answer.stdout
    assert "test_pixel_kernels.py" in answer.stdout
