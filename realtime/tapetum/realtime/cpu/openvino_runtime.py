"""OpenVINO's one runtime, from `tapetum.gan.openvino_runtime`, which every part may import."""

from tapetum.gan.openvino_runtime import core, ov

__all__ = ["core", "ov"]
