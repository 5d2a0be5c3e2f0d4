"""`tapetum build`: compiles a model to a TensorRT engine, and looks after those built before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tapetum.gan.errors import EngineError

if TYPE_CHECKING:
    from tapetum.trt_build.engine import EngineRequest
    from tapetum.trt_build.engine_cache import EngineCache, EngineFile

_OF_A_BUILD = (
    *("--size", "--min-size", "--max-size", "--target", "--device"),
    *("--output", "--runtime", "--json"),
)
_IGNORED = {
    "--list": ("MODEL", "--layers", *_OF_A_BUILD),
    "--prune": ("MODEL", "--layers", *_OF_A_BUILD),
    "--layers": _OF_A_BUILD,
    "--target": ("--device",),
}
"""Option, to what has no meaning beside it."""


def build(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="grid, unet or a model file.")
    ] = None,
    *,
    size: Annotated[
        str | None, typer.Option(help="Frame size of a unet engine. By default 1920x1080.")
    ] = None,
    smallest: Annotated[
        str | None, typer.Option("--min-size", help="Smallest frames of a dynamic engine.")
    ] = None,
    largest: Annotated[
        str | None, typer.Option("--max-size", help="Largest frames of a dynamic engine.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="GPU to build for, like sm_89. By default the one here.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="cuda[:INDEX]",
            help="GPU in this machine to build on, by default cuda; not with --target.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the engine to this file too.")
    ] = None,
    runtime: Annotated[
        Literal["tensorrt", "tensorrt-rtx", "torch-tensorrt"] | None,
        typer.Option(
            metavar="NAME",
            help="tensorrt, or else tensorrt-rtx, by default; torch-tensorrt when named.",
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Only compare MODEL's layers in float16.")
    ] = False,
    list_engines: Annotated[bool, typer.Option("--list", help="List the engines kept.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove engines that are broken or of other versions.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Compile a model to a TensorRT engine in float16, once for each GPU and size.

    For example:

      tapetum build grid

      tapetum build unet.pth --size 1920x1080

      tapetum build unet.pth --min-size 320x180 --max-size 1920x1080

      tapetum build grid --target sm_89 --output grid_sm89.engine

    Engines are kept in ~/.cache/tapetum/engines, or where TAPETUM_CACHE says.
    """
    from tapetum.trt_build.engine_cache import EngineCache

    _refuse_what_would_be_ignored(context)
    if model is None and not (list_engines or prune):
        raise typer.BadParameter("name a MODEL to build, or pass --list or --prune")
    cache = EngineCache()
    if prune:
        _prune(cache)
    if model is not None and layers:
        _print_layers(model)
    elif model is not None:
        sizes = (size, smallest, largest)
        request = _request(sizes, target=target, runtime=runtime, device=device or "cuda")
        engine = _build_visibly(model, request, output)
        _report(engine, as_json=as_json)
    if list_engines:
        _list(cache)


def _refuse_what_would_be_ignored(context: typer.Context) -> None:
    """Raises `typer.BadParameter` for the first option of `_IGNORED` that ignores what is given."""
    given = {
        parameter.opts[0] if parameter.param_type_name == "option" else "MODEL"
        for parameter in context.command.params
        if context.params.get(str(parameter.name)) not in (None, False)
    }
    for option, without_meaning in _IGNORED.items():
        ignored = [each for each in without_meaning if each in given]
        if option in given and ignored:
            raise typer.BadParameter(f"leave out {', '.join(ignored)}, which {option} would ignore")


def _request(
    sizes: tuple[str | None, str | None, str | None],
    *,
    target: str | None,
    runtime: Literal["tensorrt", "tensorrt-rtx", "torch-tensorrt"] | None,
    device: str,
) -> EngineRequest:
    from tapetum.trt_build.engine import EngineRequest
    from tapetum.trt_build.gpu import device_index
    from tapetum.trt_build.profile import parse_size

    try:
        gpu_index = device_index(device)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    size, smallest, largest = (parse_size(text) if text else None for text in sizes)
    return EngineRequest(size, smallest, largest, target, runtime, gpu_index)


def _build_visibly(model: str, request: EngineRequest, output: Path | None) -> EngineFile:
    from rich.console import Console

    from tapetum.trt_build.build_bar import BuildBar
    from tapetum.trt_build.engine import BuildStart, build_engine

    def announce(start: BuildStart) -> None:
        typer.echo(f"building {start}", err=True)

    with BuildBar(Console(stderr=True)) as bar:
        return build_engine(model, request, output=output, on_start=announce, on_phase=bar)


def _report(engine: EngineFile, *, as_json: bool) -> None:
    if as_json:
        typer.echo(engine.manifest.to_json(), nl=False)
        return
    how = "built before" if engine.reused else "built"
    size_mb = engine.manifest.size_bytes / 1e6
    typer.echo(f"{engine.path}: {how}, {size_mb:.1f} MB, {_verification(engine)}")


def _verification(engine: EngineFile) -> str:
    psnr_db = engine.manifest.psnr_db
    return "not verified yet" if psnr_db is None else f"PSNR {psnr_db:.1f} dB"


def _print_layers(model: str) -> None:
    from tapetum.gan.model import find_model
    from tapetum.trt_build.network_source import read_network

    network = read_network(find_model(model))  # says so where onnx is missing
    from tapetum.trt_build.folding import fold
    from tapetum.trt_build.half_precision import tried_layers

    typer.echo(f"{'layer':32} {'operator':18} {'peak':>10} {'float16 dB':>10}  runs in")
    for layer in tried_layers(fold(network)):
        precision = "float32" if layer.needs_float32 else "float16"
        numbers = f"{layer.peak:10.4g} {layer.snr_db:10.1f}"
        typer.echo(f"{layer.layer:32} {layer.operator:18} {numbers}  {precision}")


def _list(cache: EngineCache) -> None:
    for path, engine in cache.engines():
        if isinstance(engine, EngineError):
            typer.echo(f"{path}: will be built anew: {engine}")
            continue
        manifest, identity = engine.manifest, engine.manifest.identity
        what = f"{manifest.model} {identity.profile} {identity.precision}"
        where = f"{identity.gpu or 'any GPU of'} {identity.target}"
        made_by = f"{identity.runtime} {identity.runtime_version}"
        typer.echo(f"{path}: {what}, {where}, {made_by}, {_verification(engine)}")


def _prune(cache: EngineCache) -> None:
    removed = cache.prune(_installed())
    for path in removed:
        typer.echo(f"removed {path}", err=True)


def _installed() -> set[tuple[str, str]]:
    """Name and version of each runtime that imports."""
    from tapetum.trt_build.flavour import FLAVOURS, load_flavour
    from tapetum.trt_build.torch_tensorrt_build import NAME, load_torch_tensorrt

    found: set[tuple[str, str]] = set()
    for name in FLAVOURS:
        with suppress(EngineError):
            found.add((name, load_flavour(name).version))
    with suppress(EngineError):
        found.add((NAME, load_torch_tensorrt()[1]))
    return found
