"""Builds with TensorRT-RTX, which take no GPU: the rule for such tests, and what they build for."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tapetum.trt_build import EngineRequest

needs_tensorrt_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx") is None,
    reason="needs tensorrt-rtx (pip install 'tapetum[tensorrt-rtx]')",
)

SM89 = EngineRequest(target="sm_89", runtime="tensorrt-rtx")
"""An engine for a GPU that need not be here."""
