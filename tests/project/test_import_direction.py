"""Which part may import which, and that the base install needs no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.command_line import ROOT, python

from tapetum.realtime.cpu.side_by_side import SECOND_THREAD

PARTS = ("gan", "realtime", "trt_build", "benchmarks")
MAY_IMPORT = {
    "gan": {"gan"},
    "trt_build": {"trt_build", "gan"},
    "realtime": {"realtime", "gan", "trt_build"},
    "benchmarks": set(PARTS),
}
WITHOUT_TORCH = {
    "tapetum.gan.build_cache",
    "tapetum.gan.cpu_runtime",
    "tapetum.gan.errors",
    "tapetum.gan.machine",
    "tapetum.gan.model",
    "tapetum.gan.model_kinds",
    "tapetum.gan.onnxruntime_runtime",
    "tapetum.gan.plain_help",
    "tapetum.gan.openvino_runtime",
    "tapetum.gan.stop_signals",
    "tapetum.gan.weights",
    "tapetum.gan.scratch_folder",
    "tapetum.gan.whole_file",
    "tapetum.trt_build.cuda_driver",
    "tapetum.trt_build.gpu",
}
"""What `realtime` may import from its siblings at module level."""

HEAVY = ("torch", "tensorrt", "tensorrt_rtx", "torch_tensorrt", "cupy", "cv2", "onnx", "pynvml")

COMMAND_LINE = (
    "cli",
    "enhance_command",
    "live_command",
    "serve_command",
    "doctor",
    "enhancer",
    "choices",
    "__init__",
)
SLOW = ("numpy", "av", "openvino", "numba")


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part / "tapetum" / part).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what a tree imports, conditionally or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def is_for_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def run_at_import(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that importing a module runs: its own, and those of its classes' bodies."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            yield from run_at_import(statement.body)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement


def at_module_level(path: Path) -> set[str]:
    """Names that importing a module imports at once."""
    names: set[str] = set()
    for statement in run_at_import(parsed(path).body):
        if not is_for_type_checking(statement):
            names.update(imported(statement))
    return names


def module_name(part: str, path: Path) -> str:
    """Its full name, like `tapetum.gan.grid`; a package's is that of its `__init__`."""
    name = ".".join(path.relative_to(ROOT / part).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def import_graph() -> dict[str, set[str]]:
    """Every module of the project, and those that it imports, inside functions too."""
    paths = {module_name(part, path): path for part in PARTS for path in modules(part)}
    graph = {}
    for module, path in paths.items():
        body = [part for part in parsed(path).body if not is_for_type_checking(part)]
        names = set(imported(ast.Module(body, [])))
        graph[module] = {name for name in names if name in paths and name != module}
    return graph


def package(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    for path in modules(part):
        for name in imported(parsed(path)):
            if package(name) == "tapetum" and name.count("."):
                assert name.split(".")[1] in MAY_IMPORT[part], f"{path} imports {name}"


def test_realtime_takes_only_what_needs_no_torch_from_its_siblings() -> None:
    for path in modules("realtime"):
        for name in at_module_level(path):
            if name.startswith(("tapetum.gan", "tapetum.trt_build")):
                assert any(name == light or name.startswith(f"{light}.") for light in WITHOUT_TORCH)


def test_realtime_imports_nothing_heavy_at_module_level() -> None:
    for path in modules("realtime"):
        found = {package(name) for name in at_module_level(path)} & set(HEAVY)
        assert not found, f"{path} imports {found}"


def test_what_the_command_line_loads_first_is_light() -> None:
    for path in modules("realtime"):
        if path.stem in COMMAND_LINE:
            found = {package(name) for name in at_module_level(path)} & set(SLOW)
            assert not found, f"{path} imports {found}"


def test_no_modules_import_each_other() -> None:
    """Neither two nor many, nor inside functions: such modules can only be read together."""
    TopologicalSorter(import_graph()).prepare()  # raises CycleError, which names the circle


FLOORS = {
    "measure": {"measure"},
    "bench": {"measure", "bench"},
    "gpu": {"measure", "gpu"},
    "evaluate": {"measure", "evaluate"},
    "experiments": {"measure", "bench", "experiments"},
    "documents": {"measure", "bench", "gpu", "evaluate", "experiments", "documents"},
}
"""The floors of `benchmarks`, from the ground up, and what each may import of the others. What
lies beside them are the commands, which stand on all."""


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_of_the_benchmarks_imports_only_what_lies_below_it(floor: str) -> None:
    home = "tapetum.benchmarks"
    for module, names in import_graph().items():
        if module.startswith(f"{home}.{floor}."):
            others = {name.removeprefix(f"{home}.").split(".")[0] for name in names if home in name}
            assert others <= FLOORS[floor], f"{module} imports {others - FLOORS[floor]}"


def test_every_folder_of_the_benchmarks_is_a_floor() -> None:
    home = ROOT / "benchmarks" / "tapetum" / "benchmarks"
    assert {path.parent.name for path in home.glob("*/__init__.py")} == FLOORS.keys()


REALTIME_FLOORS = {
    "media": set[str](),
    "cpu": set[str](),
    "photos": {"cpu", "media"},
    "segments": {"media"},
    "cuda": {"media", "live"},
    "live": {"cpu", "cuda", "media", "photos"},
    "batch": {"media", "photos", "segments"},
    "plugins": {"cpu"},
    "serve": {"cpu", "live", "media", "photos"},
}
"""What the packages of `realtime` may import of each other, inside functions too. `cuda` takes of
`live` how an address is opened; `command` may import all."""


@pytest.mark.parametrize("floor", REALTIME_FLOORS)
def test_a_floor_of_realtime_imports_only_what_lies_below_it(floor: str) -> None:
    home = "tapetum.realtime"
    known = REALTIME_FLOORS.keys() | {"command"}
    for module, names in import_graph().items():
        if module.startswith(f"{home}.{floor}."):
            others = {name.removeprefix(f"{home}.").split(".")[0] for name in names}
            assert others & known <= REALTIME_FLOORS[floor] | {floor}, f"{module} imports {others}"


def test_every_folder_of_realtime_is_a_floor() -> None:
    home = ROOT / "realtime" / "tapetum" / "realtime"
    folders = {path.parent.name for path in home.glob("*/__init__.py")}
    assert folders == REALTIME_FLOORS.keys() | {"command"}


@pytest.mark.parametrize(("device", "other"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_the_paths_of_the_two_devices_do_not_import_each_other(device: str, other: str) -> None:
    folder = ROOT / "realtime" / "tapetum" / "realtime" / device
    for path in sorted(folder.glob("*.py")):
        found = [
            name for name in imported(parsed(path)) if name.startswith(f"tapetum.realtime.{other}")
        ]
        assert not found, f"{path} imports {found}"


def test_tapetum_is_a_namespace_package() -> None:
    for part in PARTS:
        assert not (ROOT / part / "tapetum" / "__init__.py").exists()


def loaded(code: str, names: tuple[str, ...]) -> set[str]:
    """Which of `names` a fresh Python has loaded after `code`."""
    report = f"import sys; print(*[name for name in {names} if name in sys.modules])"
    return set(python(f"{code}\n{report}").splitlines()[-1].split())


def test_importing_realtime_loads_nothing_but_itself() -> None:
    assert loaded("import tapetum.realtime", HEAVY + SLOW) == set()


def test_the_help_loads_nothing_slow() -> None:
    code = (
        "from tapetum.realtime.command.cli import run_command\nrun_command(['enhance', '--help'])"
    )
    assert loaded(code, HEAVY + SLOW) == set()


def test_the_help_of_live_loads_nothing_slow() -> None:
    code = "from tapetum.realtime.command.cli import run_command\nrun_command(['live', '--help'])"
    assert loaded(code, HEAVY + SLOW) == set()


def test_enhancing_loads_neither_torch_nor_gpu_packages(short_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "bright.mp4"
    code = (
        "from tapetum.realtime.command.cli import run_command\n"
        f"assert run_command(['enhance', {str(short_clip)!r}, {str(output)!r}, '--quiet']) == 0"
    )
    assert loaded(code, HEAVY) == set()
    assert output.exists()


def test_enhancing_reports_to_nobody(short_clip: Path, tmp_path: Path) -> None:
    code = f"""
import os, threading
os.environ.update(HOME={str(tmp_path)!r}, CI="", TAPETUM_CACHE={str(tmp_path / "kept")!r})
from tapetum.realtime import enhance_file
enhance_file({str(short_clip)!r}, {str(tmp_path / "bright.mp4")!r})
names = {{thread.name for thread in threading.enumerate()}}
print(names - {{{SECOND_THREAD!r}}}, sorted(os.listdir({str(tmp_path)!r})))
"""
    assert python(code) == "{'MainThread'} ['bright.mp4', 'kept']\n"
    assert all(path.name.startswith("network-") for path in (tmp_path / "kept").iterdir())
