"""The examples of docs/python_hosts.md, each where its library is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_line import ROOT, environment
from support.ros_stand_in import Header, Image, Time, stand_in_for_ros

from tapetum.realtime import Enhancer

pytestmark = pytest.mark.slow

_BLOCK = re.compile(r"^```python needs (\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = _BLOCK.findall((ROOT / "docs" / "python_hosts.md").read_text())


@pytest.mark.parametrize(("library", "code"), EXAMPLES, ids=[library for library, _ in EXAMPLES])
def test_the_example_runs(library: str, code: str, short_clip: Path, tmp_path: Path) -> None:
    """In a Python of its own: these libraries have threads, and warnings, that are not ours."""
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copy(short_clip, tmp_path / "dark.mp4")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment() | {"HOME": os.environ.get("HOME", str(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("rclpy") is not None, reason="ROS 2 itself is here")
def test_the_node_for_ros_brightens_what_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against stand-ins for ROS 2: rows are padded, and times and frames are kept."""
    stand_in_for_ros(monkeypatch)
    (code,) = (code for library, code in EXAMPLES if library == "rclpy")
    names: dict[str, Any] = {"__name__": "node"}
    exec(compile(code, "docs/python_hosts.md", "exec"), names)
    node = names["Brightener"]()
    light = np.random.default_rng(1).integers(5, 40, (48, 3 * 64 + 16), dtype=np.uint8)
    for number in range(3):
        header = Header(Time(7, 40_000_000 * number), "camera")
        node.callbacks["image_raw"](Image(header, 48, 64, "bgr8", light.shape[1], light.tobytes()))
    sent = node.publishers["image_bright"].sent
    assert [message.header.stamp.nanosec for message in sent] == [0, 40_000_000, 80_000_000]
    assert {message.header.frame_id for message in sent} == {"camera"}
    enhance = Enhancer("grid")
    for number, message in enumerate(sent):
        right = enhance(light[:, :192].reshape(48, 64, 3), order="bgr", time_s=7 + 0.04 * number)
        assert message.data == right.tobytes()
        assert right.mean() > 1.3 * light.mean()
