"""What many tests share: clips, models and the rule for tests that need a GPU."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.compiled import share_what_is_compiled
from support.fake_driver import fake_driver
from support.kernel_devices import HostDevice, host_kernels
from support.live_parts import wait_until
from support.media import RICH, Clip, make_clip
from support.rtx_builds import SM89
from support.simulated_gpu import Faults, SimulatedGPU, simulated
from support.small_clips import write_clip
from support.tiny_networks import grid_network

from tapetum.realtime.cpu.side_by_side import SECOND_THREAD
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.trt_build import EngineCache, EngineFile, build_engine

ROOT = Path(__file__).parents[1]
_ENVIRONMENT = dict(os.environ)  # before any test module is imported
SAMPLE = ROOT / "samples" / "dark_room.mp4"


def pytest_configure(config: pytest.Config) -> None:
    """Set up what tests are made and handed out by, which a machine with a GPU may lack."""
    share_what_is_compiled(config)
    if find_spec("hypothesis"):
        from hypothesis import settings

        # The same examples in every run, and no limit of time: a busy machine is no fault.
        settings.register_profile("tapetum", deadline=None, derandomize=True)
        settings.load_profile("tapetum")
    if config.pluginmanager.hasplugin("rerunfailures"):
        from support import second_try

        config.pluginmanager.register(second_try)
    if config.pluginmanager.hasplugin("xdist"):
        from support import scheduling

        config.pluginmanager.register(scheduling)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `needs_cuda` tests, unless the run must not pass by skipping them."""
    if os.environ.get("FAIL_WITHOUT_CUDA"):
        return
    skip = pytest.mark.skip(reason="needs an NVIDIA GPU; set FAIL_WITHOUT_CUDA to run it")
    for item in items:
        if "needs_cuda" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True, scope="session")
def _hears_signals() -> None:
    """Processes that tests stop inherit what is ignored, which is much in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _environment_of_a_user() -> None:
    """What importing OpenCV here sets would lead the Qt of other programs to OpenCV's parts."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "LD_LIBRARY_PATH"):
        if name in _ENVIRONMENT:
            os.environ[name] = _ENVIRONMENT[name]
        else:
            os.environ.pop(name, None)


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    """The clip that ships: 640x360, 25 fps, 192 frames, stereo sound."""
    return SAMPLE


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of photos and clips that do not ship; the test skips where there is none."""
    named = os.environ.get("TAPETUM_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the test data in {folder}, or where TAPETUM_DATA says")
    return folder


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve dark frames of 96x64 at 25 fps, with a second of sound."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    write_clip(path, frames=12)
    return path


@pytest.fixture(scope="session")
def gain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real grid model that makes every picture three times brighter, whatever it sees."""
    grid = np.zeros((8, 8, 16, 16), np.float32)
    grid[[0, 2, 5]] = 3
    path = tmp_path_factory.mktemp("models") / "gain.onnx"
    path.write_bytes(grid_network(grid))
    return path


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, 150 frames, a key frame each second."""
    faststart = {"movflags": "faststart"}
    clip = Clip(frames=150, options={"g": "25", "bf": "2"}, container_options=faststart)
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", clip)


@pytest.fixture(scope="session")
def rich_mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two AAC tracks, MP4 text, chapters, cover art, metadata."""
    clip = replace(RICH, subtitles="mov_text")
    return make_clip(tmp_path_factory.mktemp("rich") / "rich.mp4", clip)


@pytest.fixture(scope="session")
def rich_mkv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in Matroska, with ASS subtitles, Opus as the second track, and a font."""
    clip = replace(
        RICH,
        audio=["aac", "libopus"],
        subtitles="ass",
        font=True,
        time_base=Fraction(1, 1000),
    )
    return make_clip(tmp_path_factory.mktemp("rich") / "rich.mkv", clip)


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """The test ends every thread that it began."""
    before = _threads()
    yield
    assert _threads() == before


@pytest.fixture
def no_thread_stays() -> Iterator[None]:
    """The threads that the test began end, if need be after it.

    One that is opening a lost stream ends by itself after its time limit.
    """
    before = _threads()
    yield
    wait_until(lambda: _threads() == before)


def _threads() -> set[threading.Thread]:
    """All but those that help with kernels: they belong to nobody, and end by themselves."""
    return {thread for thread in threading.enumerate() if thread.name != SECOND_THREAD}


@pytest.fixture
def engine_cache(tmp_path: Path) -> EngineCache:
    """An empty cache of engines."""
    return EngineCache(tmp_path / "engines")


@pytest.fixture
def grid_engine(engine_cache: EngineCache) -> EngineFile:
    """The grid engine for `SM89`, in `engine_cache`."""
    return build_engine("grid", SM89, cache=engine_cache)


@pytest.fixture
def clip_copy(short_clip: Path, tmp_path: Path) -> Path:
    """The short clip under a name of its own, to be damaged."""
    return Path(shutil.copy(short_clip, tmp_path / "clip.mp4"))


@pytest.fixture(scope="session")
def host() -> HostDevice:
    """Main memory in the place of a GPU's, with the kernels compiled by g++."""
    return HostDevice(host_kernels())


@pytest.fixture
def gpu(
    host: HostDevice, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedGPU]:
    """Two simulated GPUs, in the place of CuPy and of NVIDIA's driver."""
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path_factory.mktemp("cache")))
    with simulated(monkeypatch, host.library, Faults(), count=2) as there:
        yield there


@pytest.fixture(scope="session")
def driver() -> dict[str, str]:
    """The environment of a process that finds a stand-in for NVIDIA's driver."""
    return fake_driver()


@pytest.fixture(
    scope="session", params=["host", pytest.param("cuda", marks=pytest.mark.needs_cuda)]
)
def device(request: pytest.FixtureRequest) -> ComputeDevice:
    """Where CUDA kernels run: compiled for the host, and on a GPU where there is one."""
    if request.param == "cuda":
        return CudaDevice()
    there: ComputeDevice = request.getfixturevalue("host")
    return there
