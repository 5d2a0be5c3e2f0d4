"""What an engine should compute: the float32 network, run on the CPU by OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import ModelError

if TYPE_CHECKING:
    import onnx


def reference_output(
    network: onnx.ModelProto, picture: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Run a network once.

    Args:
        network: float32, of one input and one output.
        picture: its input.

    Raises:
        ModelError: OpenVINO cannot run the network.
    """
    from tapetum.gan.openvino_runtime import core

    try:
        read = core().read_model(network.SerializeToString())
        read.reshape(list(picture.shape))
        compiled = core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        output: npt.NDArray[np.float32] = compiled([picture])[0]
    except RuntimeError as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ModelError(f"the network cannot be run to verify its engine: {first_line}") from error
    return output
