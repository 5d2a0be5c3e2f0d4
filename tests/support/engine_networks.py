"""Networks for tests that build TensorRT engines."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from tapetum.gan import build_generator
from tapetum.gan.unet import UNetGenerator


def trained_looking_unet() -> UNetGenerator:
    """A unet whose BatchNorms have statistics and scales of both signs, as after training."""
    torch.manual_seed(1)
    generator = build_generator("unet").eval()
    assert isinstance(generator, UNetGenerator)
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = 0.2 * torch.randn(module.num_features)
            module.running_var = 0.05 + 0.2 * torch.rand(module.num_features)
            torch.nn.init.normal_(module.weight, 0.4, 0.4)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return generator


def overflowing_network() -> onnx.ModelProto:
    """Makes the picture (1, 3, 16, 16) a million times brighter, and then most of that undone."""
    nodes = [
        helper.make_node("Mul", ["rgb", "million"], ["bright"]),
        helper.make_node("Mul", ["bright", "half"], ["halved"]),
        helper.make_node("Mul", ["halved", "thousandth"], ["dim"]),
        helper.make_node("Add", ["dim", "half"], ["enhanced"]),
    ]
    constants = {"million": 1e6, "half": 0.5, "thousandth": 1e-3}
    shape = (1, 3, 16, 16)
    graph = helper.make_graph(
        nodes,
        "overflowing",
        [helper.make_tensor_value_info("rgb", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(np.array(value, np.float32), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model
