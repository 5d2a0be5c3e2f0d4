"""The limits that `tapetum bench` puts beside its figures."""

from __future__ import annotations

import os

import pytest
from support.random_frames import random_frame

from tapetum.benchmarks.bench.floors import floors, network_flops
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.gan.weights import weights_path


def test_floors_count_bytes_and_arithmetic() -> None:
    frame = random_frame("yuv420p", 64, 48)
    network = subject("grid").network
    assert network is not None
    memory, arithmetic, both = floors(frame, network)
    assert memory.amount == 2 * 64 * 48 * 1.5
    # The first convolution alone: 128x128x16 outputs of 4x3x3 products.
    assert arithmetic.amount > 2 * 128 * 128 * 16 * 4 * 9
    assert both.ms == pytest.approx(memory.ms + arithmetic.ms)
    cores = len(os.sched_getaffinity(0))
    shared = floors(frame, network, streams=4 * cores)
    assert [floor.ms / 4 for floor in shared] == pytest.approx(
        [memory.ms, arithmetic.ms, both.ms], abs=1e-5
    )
    assert floors(frame, network, streams=cores) == [memory, arithmetic, both]
    assert memory.against(10 * memory.ms).ratio == pytest.approx(10)


def test_the_arithmetic_of_grid_by_hand() -> None:
    """Every layer of `tapetum.gan.grid.GridGenerator`: outputs times products times two."""
    layers = [
        (128, 16, 4, 3),
        (64, 24, 16, 3),
        (32, 40, 24, 3),
        (16, 64, 40, 3),
        (16, 64, 64, 3),
        (16, 64, 64, 3),
        (8, 64, 64, 3),
        (4, 64, 64, 3),
        (1, 64, 64, 1),
        (1, 64, 64, 1),
        (16, 64, 64, 1),
    ]
    expected = sum(2 * side**2 * out * into * kernel**2 for side, out, into, kernel in layers)
    counted = network_flops(weights_path("grid", ".onnx").read_bytes(), (1, 3, 256, 256))
    assert counted == expected
