"""The layers of both networks' engines, by each TensorRT that is installed."""

from __future__ import annotations

from collections.abc import Iterator

from tapetum.gan.errors import DeviceError, EngineError
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.trt_build.engine_layers import engine_layers, slow_layers
from tapetum.trt_build.flavour import FLAVOURS, load_flavour
from tapetum.trt_build.gpu import named_target, present_gpu
from tapetum.trt_build.profile import Profile, unet_profile

_SIZE = (1080, 1920)


def layers_here(target: str | None = None) -> Iterator[str]:
    """Lines about every layer; of one that costs time without need there is one more.

    Args:
        target: a compute capability such as "sm_89", by default the first GPU's.

    Raises:
        DeviceError: there is no GPU, and no target is named.
    """
    gpu = present_gpu() if target is None else named_target(target)
    profiles = {
        "grid": Profile(*[(THUMBNAIL, THUMBNAIL)] * 3),
        "unet": unet_profile(_SIZE, None, None),
    }
    for runtime in FLAVOURS:
        for name, profile in profiles.items():
            try:
                flavour = load_flavour(runtime)
                layers = engine_layers(find_model(name), profile, gpu, flavour)
            except (DeviceError, EngineError) as error:
                yield f"{runtime} {name}: not here: {error}"
                continue
            told = [f"{runtime} {name} {gpu.target}: {layer}" for layer in layers]
            yield from told or [f"slow: {runtime} {name} {gpu.target} tells of no layer"]
            yield from (f"slow: {runtime} {name}: {layer}" for layer in slow_layers(layers))
