"""How learning rates, steps, first weights and the average go, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tapetum.gan.trainer import epoch_photos, learning_rate_factor, total_steps
from tapetum.gan.training_checkpoint import initialise_normally, update_average
from tapetum.gan.training_config import LossConfig, OptimizerConfig, TrainConfig
from tapetum.gan.training_data import TrainingPhotos


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    config = OptimizerConfig(warmup_steps=4, decay_share=0.5)
    factors = [learning_rate_factor(step, 100, config) for step in (0, 1, 3, 30, 50, 75, 99)]
    assert factors == [0.25, 0.5, 1, 1, 1, 0.5, 0.02]
    constant = OptimizerConfig(decay_share=0)
    assert learning_rate_factor(99, 100, constant) == 1


def test_epochs_are_passes_over_the_larger_folder(tmp_path: Path) -> None:
    photos = TrainingPhotos(low=(tmp_path,) * 6, normal=(tmp_path,) * 10)
    config = TrainConfig(low=tmp_path, normal=tmp_path, output=tmp_path)
    assert epoch_photos(config, photos) == 10
    unpaired = LossConfig(global_adversarial=0, local_adversarial=0)
    assert epoch_photos(replace(config, losses=unpaired), photos) == 6
    assert total_steps(OptimizerConfig(epochs=3, batch=4), 10) == 8
    assert total_steps(OptimizerConfig(epochs=3, batch=4, steps=5), 10) == 5


def test_initialisation_is_enlightengans() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(4096))
    pytorchs = network.get_parameter("0.bias").tolist()
    initialise_normally(network, zero_biases=False)
    assert network.get_parameter("0.bias").tolist() == pytorchs
    assert 0.5 / 24 < np.abs(pytorchs).max() <= 1 / 24  # one over the root of a filter's inputs
    initialise_normally(network, zero_biases=True)
    convolution, norm = network.get_parameter("0.weight"), network.get_parameter("1.weight")
    np.testing.assert_allclose(convolution.std().item(), 0.02, rtol=0.02)
    np.testing.assert_allclose(norm.mean().item(), 1, rtol=0.01)
    np.testing.assert_allclose(norm.std().item(), 0.02, rtol=0.05)
    assert not network.get_parameter("0.bias").any()
    assert not network.get_parameter("1.bias").any()


def test_the_average_moves_by_what_the_decay_leaves() -> None:
    average, current = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    nn.init.constant_(current.weight, 3.0)
    current.get_buffer("num_batches_tracked").fill_(7)
    update_average(average, current, 0.75)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.get_buffer("num_batches_tracked").item() == 7
