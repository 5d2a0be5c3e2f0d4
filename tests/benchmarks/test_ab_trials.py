"""Trials of `tapetum bench ab`: a slowed copy is slow, and the table counts what was found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tapetum.benchmarks.bench.ab import side
from tapetum.benchmarks.documents.experiments import ab_table
from tapetum.benchmarks.experiments.ab_trials import slowed_copy

ROOT = Path(__file__).parents[2]

_MODULE = '''"""Of a made version."""
import time

def make_enhancer(model):
    def enhance(frame):
        end_s = time.perf_counter() + 0.02
        while time.perf_counter() < end_s:
            pass
        return frame
    return enhance
'''


def test_a_slowed_copy_takes_longer(tmp_path: Path) -> None:
    """It gives the same, takes its share longer, and leaves nothing."""
    checkout = tmp_path / "checkout"
    for part in ("gan", "realtime", "trt_build", "benchmarks"):
        (checkout / part / "tapetum").mkdir(parents=True)
    realtime = checkout / "realtime" / "tapetum" / "realtime"
    realtime.mkdir()
    (realtime / "enhancer.py").write_text(_MODULE)
    code = (
        "import time\n"
        "from tapetum.realtime.enhancer import make_enhancer\n"
        "enhance = make_enhancer('grid')\n"
        "began_s = time.perf_counter()\n"
        "assert enhance(5) == 5\n"
        "print(time.perf_counter() - began_s)\n"
    )
    with slowed_copy(checkout, 1.0) as copy:
        said = subprocess.run(
            [sys.executable, "-S", "-c", code],
            env=side(copy).environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert float(said.stdout) >= 0.04
    assert not copy.exists()
    assert (realtime / "enhancer.py").read_text() == _MODULE


def test_a_slowed_copy_of_this_version_is_one_of_tapetum() -> None:
    with slowed_copy(ROOT, 0.1) as copy:
        assert side(copy).checkout == copy.resolve()
        text = (copy / "realtime" / "tapetum" / "realtime" / "enhancer.py").read_text()
        compile(text, "enhancer.py", "exec")
        assert text.rstrip().endswith("make_enhancer = _slowed(make_enhancer, 0.1)")


def trial(*, frames: str, first: str = "none seen", load: float = 0.5) -> dict[str, object]:
    return {
        "rounds": 5,
        "load_average": [load, 1.0, 1.0],
        "differences": {"first frame": {"verdict": first}, "grid 1280x720": {"verdict": frames}},
    }


def test_the_table_counts_alarms_and_what_was_seen(tmp_path: Path) -> None:
    slow = [trial(frames=frames) | {"slowed_percent": 10} for frames in ("slower", "faster")]
    same = [trial(frames="none seen", load=7.25), trial(frames="none seen", first="faster")]
    (tmp_path / "ab.json").write_text(json.dumps({"same": same, "slowed": slow}))
    lines = ab_table(tmp_path).splitlines()
    assert [line.split("|")[-2].strip() for line in lines[2:6]] == ["2", "1", "2", "1"]
    assert lines[-1] == "Of 5 rounds each; load average before them 0.5 to 7.2."
    assert ab_table(tmp_path / "nowhere") == "not measured"
