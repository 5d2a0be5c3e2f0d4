"""The first quarter of an hour on a GPU: what is found stays found, whatever ends the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.command_line import environment
from support.fake_driver import fake_driver
from support.live_parts import wait_until
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
from tapetum.benchmarks.gpu_commands import first_contact_command
from tapetum.benchmarks.measure import machine
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
    outcome = run_stage(says("endless", code), 5, tmp_path / "endless.txt")
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
    contact(tmp_path, [slow, once])
    quick = says("slow", "print('this time')")
    ended = contact(tmp_path, [quick, once, late])
    assert [outcome.state for outcome in ended] == ["done", "done", "done"]
    assert ended[0].output == "this time\n"
    assert (tmp_path / "runs").read_text() == "x"


def test_what_has_no_time_is_not_begun(tmp_path: Path) -> None:
    assert contact(tmp_path, [says("one", "")], budget_s=1) == []
    assert list(tmp_path.iterdir()) == []


def promised_minutes() -> float:
    """What `first-contact` takes at the most, where nobody says otherwise."""
    defaults: Any = first_contact_command.__kwdefaults__
    return float(defaults["minutes"])


def test_what_a_stage_leaves_of_its_time_is_for_those_after_it(tmp_path: Path) -> None:
    """And no more than that: what follows has its own limit at the least."""
    waits = says("waits", "import time; time.sleep(2)", limit_s=1)
    (outcome,) = contact(tmp_path / "alone", [waits])
    assert outcome.state == "out of time"
    ended = contact(tmp_path / "after", [says("quick", ""), waits, replace(waits, name="again")])
    assert [outcome.state for outcome in ended] == ["done", "done", "done"]
    endless = says("endless", "import time; time.sleep(60)", limit_s=1)
    ended = contact(tmp_path / "hangs", [says("quick", "", limit_s=5), endless, waits])
    assert [outcome.state for outcome in ended] == ["done", "out of time", "out of time"]
    assert ended[1].seconds < 20


def test_what_ran_out_of_time_gets_that_of_what_is_done(tmp_path: Path) -> None:
    """It would run out of it however often the command is given."""
    waits, quick = says("waits", "import time; time.sleep(2)", limit_s=1), says("quick", "")
    ended = contact(tmp_path, [waits, quick])
    assert [outcome.state for outcome in ended] == ["out of time", "done"]
    ended = contact(tmp_path, [waits, quick])
    assert [outcome.state for outcome in ended] == ["done", "done"]


def test_nothing_follows_where_what_is_needed_fails(tmp_path: Path) -> None:
    todo = [says("driver", "import sys; sys.exit(1)", needed=True), says("kernels", "")]
    assert [outcome.name for outcome in contact(tmp_path, todo)] == ["driver"]
    todo = [says("driver", "", needed=True), says("kernels", "")]  # it was installed meanwhile
    assert [outcome.state for outcome in contact(tmp_path, todo)] == ["done", "done"]


def test_a_program_that_is_not_installed_is_no_failure(tmp_path: Path) -> None:
    stage = Stage("sanitizer", ("-c", ""), 5, program="no-such-sanitizer")
    (outcome,) = contact(tmp_path, [stage])
    assert (outcome.state, outcome.output) == ("not here", "no-such-sanitizer is not installed")


def test_what_a_stage_lacked_is_looked_for_again(tmp_path: Path) -> None:
    stage = Stage("live", ("-c", "print('runs')"), 30, packages=("no_such_runtime", "nor_this"))
    (outcome,) = contact(tmp_path, [stage])
    says_what = "no_such_runtime or nor_this is not installed"
    assert (outcome.state, outcome.output) == ("not here", says_what)
    (outcome,) = contact(tmp_path, [replace(stage, packages=("no_such_runtime", "json"))])
    assert (outcome.state, outcome.output) == ("done", "runs\n")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_keeps_what_was_found_and_goes_on_there(
    tmp_path: Path, end: signal.Signals
) -> None:
    """What the stage that ran had said stays too; where it can, it ends that stage."""
    runs, pid = tmp_path / "runs", tmp_path / "pid"
    first = says("first", f"open({str(runs)!r}, 'a').write('x')")
    tells = f"open({str(pid)!r}, 'w').write(str(os.getpid()))"
    waits = f"import os, time; print('began'); {tells}; time.sleep(200)"
    code = f"""
import signal
from pathlib import Path
from tapetum.benchmarks.gpu.first_contact import Stage, first_contact
from tapetum.benchmarks.gpu_commands import end_by_signal
signal.signal(signal.SIGTERM, end_by_signal)
second = Stage("second", ("-c", {waits!r}), 200)
todo = [Stage("first", {first.command!r}, 60), second]
first_contact(Path({str(tmp_path)!r}), todo, budget_s=300, report=print)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: pid.exists() and pid.read_text() != "", seconds=120)
    process.send_signal(end)
    assert process.wait(60) == (143 if end == signal.SIGTERM else -end)
    second = int(pid.read_text())
    if end == signal.SIGTERM:
        with pytest.raises(ProcessLookupError):
            gone_or_zombie(second)
    else:
        os.kill(second, signal.SIGKILL)
    assert (tmp_path / "second.txt").read_text() == "began\n"
    ended = contact(tmp_path, [first, says("second", "print('this time')")])
    assert [(outcome.state, outcome.output) for outcome in ended] == [
        ("done", ""),
        ("done", "this time\n"),
    ]
    assert runs.read_text() == "x"


def test_figures_need_no_runtime_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured would be lost at its end."""
    monkeypatch.setattr(machine, "cpu_runtime", lambda: "no-such-runtime")
    facts: Any = machine.machine()
    assert {"av", "numpy"} <= set(facts["packages"])
    assert "no-such-runtime" not in facts["packages"]


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


def test_every_stage_has_a_name_of_its_own_and_files_that_are_there(tmp_path: Path) -> None:
    todo = stages(Path("results"), ROOT / "tests")
    assert len({stage.name for stage in todo}) == len(todo)
    assert sum(stage.limit_s for stage in todo) <= 60 * promised_minutes()
    assert all(stage.limit_s >= 10 for stage in todo)  # or it would not be begun
    files = [word for stage in todo for word in stage.command if word.endswith(".py")]
    assert len(files) > 8
    assert all(Path(file).is_file() for file in files)
    names = [stage.name for stage in todo]
    assert names.index("measure-pipeline") < names.index("live-grid") < names.index("live-unet")
    (live,) = (stage for stage in todo if stage.name == "live-unet")
    answer = run_stage(live, 60, tmp_path / "live.txt")
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


SIMULATED = ("driver", "measure-ceilings", "measure-codecs", "test-graph", "layers")
"""Stages that take seconds on a simulated GPU; those that measure do so with small pictures."""


def on_simulated_gpu(stage: Stage, libraries: dict[str, str]) -> Stage:
    small = ["96x64" if word == "1080p" else word for word in stage.command]
    if stage.name == "layers":
        small += ["--target", "sm_89"]  # for a GPU that need not be here
    paths = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    here = {**environment(), **stage.environment, **libraries, "PYTHONPATH": paths}
    return replace(
        stage,
        command=("-m", "support.simulated_stage", *small),
        limit_s=300,  # it compiles kernels by g++
        environment=here,
    )


@pytest.mark.slow
def test_stages_go_through_on_a_simulated_gpu(tmp_path: Path) -> None:
    """Each in a process that finds stand-ins for NVIDIA's libraries; no figure means anything."""
    libraries = fake_driver(codecs=True)
    results = tmp_path / "contact"
    found = {stage.name: stage for stage in stages(results, ROOT / "tests")}
    todo = [on_simulated_gpu(found[name], libraries) for name in SIMULATED]
    ended = contact(results, todo, budget_s=500)
    assert [(outcome.name, outcome.state) for outcome in ended] == [
        (name, "done") for name in SIMULATED
    ], ended
    assert "cuMemcpy2DAsync_v2 is here" in ended[0].output
    layers = (results / "layers.txt").read_text()
    if find_spec("tensorrt_rtx") is not None:
        assert "tensorrt-rtx unet sm_89: correlation " in layers
    assert "slow: " not in layers
    parts: Any = json.loads((results / "gpu-simulated-gpu.json").read_text())["parts"]
    assert set(parts) == {"ceilings", "codecs"}
    by_nvenc = [row for row in parts["codecs"]["figures"] if row["unit"] == "NVENC"]
    assert ["fps" in row for row in by_nvenc] == [True, True, True]
