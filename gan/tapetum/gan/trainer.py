"""Trains a generator on unpaired photos: EnlightenGAN's loop, from top to bottom.

    from tapetum.gan import TrainConfig, train
    generator = train(TrainConfig(low=Path("dark"), normal=Path("bright"), output=Path("run")))

Started again with the same settings, a run goes on from its last checkpoint. Started by torchrun,
the processes share each step's batch and get what one process would have got.
"""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import torch
from torch import nn

from tapetum.gan.checkpoint import load_generator
from tapetum.gan.errors import TrainingError
from tapetum.gan.generator import Generator
from tapetum.gan.processes import Processes, joined_processes, share_batch_statistics
from tapetum.gan.simulation.pair_set import PairSet
from tapetum.gan.snapshots import Snapshots
from tapetum.gan.stop_request import StopRequest, TrainingStopped
from tapetum.gan.training_checkpoint import (
    CHECKPOINT,
    TrainingState,
    new_state,
    restore_checkpoint,
    save_checkpoint,
    save_settings,
    update_average,
)
from tapetum.gan.training_config import OptimizerConfig, RunConfig, TrainConfig
from tapetum.gan.training_data import (
    Batch,
    TrainingPhotos,
    UnpairedPhotos,
    batches,
    find_training_photos,
    step_numbers,
)
from tapetum.gan.training_report import TrainingReport
from tapetum.gan.training_step import (
    Enhancement,
    Networks,
    Terms,
    as_judged,
    discriminator_terms,
    enhance_batch,
    generator_terms,
    total_loss,
)
from tapetum.gan.unet import LitUNet
from tapetum.gan.vgg import load_vgg

_PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}

_log = logging.getLogger(__name__)


def train(config: TrainConfig) -> Generator:
    """Train a generator, or go on training it.

    The run's folder gets `config.toml`, `checkpoint.pt`, the averaged generator as
    `unet.safetensors` or `grid.safetensors`, snapshots if they are wanted, and TensorBoard's
    figures.

    Args:
        config: how.

    Returns:
        The averaged generator, on the CPU and ready to enhance.

    Raises:
        DataError: a folder of photos cannot be used.
        ModelError: weights or a checkpoint cannot be read.
        TrainingError: the settings contradict each other or the checkpoint, a loss is no number,
            the memory or the disk is full, the run's folder cannot be written, or another process
            of the run is gone.
        TrainingStopped: Ctrl-C, SIGTERM or SIGHUP; a checkpoint was written.
    """
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    device = _device(config.run)
    with joined_processes(device) as processes:
        return _train(config, device, processes)


def _train(config: TrainConfig, device: torch.device, processes: Processes) -> Generator:
    photos = find_training_photos(config)
    pictures = epoch_photos(config, photos)
    steps, snapshots = total_steps(config.optimizer, pictures), Snapshots(config, pictures)
    state = _start(config, device, photos)
    teacher = load_generator(config.teacher) if config.teacher else None
    networks = _networks(state, config, device, processes, teacher)
    if processes.first:
        save_settings(config)
    first_step = state.step
    pairs = PairSet(config.pairs) if config.pairs else None
    whole_light = None if networks.light else teacher
    data = UnpairedPhotos(
        photos, config.data, config.losses, seed=config.seed, teacher=whole_light, pairs=pairs
    )
    numbers = _numbers(config, range(first_step, steps), processes)
    report = TrainingReport(config, first_step, steps, enabled=processes.first)
    reading = closing(batches(data, numbers, workers=config.data.workers))
    with StopRequest() as stop, report, reading as read_batches:
        for read in read_batches:
            batch = _on_device(read, device, config.run)
            set_learning_rates(state, config.optimizer, steps)
            with full_memory_explained(config):
                terms = train_step(state, networks, batch, config, processes)
            _require_numbers(terms, state.step, config)
            state.step += 1
            report.step(state.step, terms, _rates(state), batch, state.average)
            stopped = processes.any_of(stop.requested, device)
            due = state.step % config.run.checkpoint_steps == 0 or state.step == steps
            if processes.first and snapshots.is_due(state.step):
                report.score(state.step, snapshots.keep(state.step, state.average))
            if processes.first and (due or stopped):
                save_checkpoint(state, config, photos.fingerprint())
            if stopped:
                raise TrainingStopped(state.step, config.output, stop.signal_number)
    best = snapshots.best()
    if best is not None:
        _log.info("best snapshot: %s, NIQE %.3f", *best)
    return state.average.cpu().eval()


def train_step(
    state: TrainingState,
    networks: Networks,
    batch: Batch,
    config: TrainConfig,
    processes: Processes,
) -> Terms:
    """One step of the generator against the discriminators, then one of theirs against it.

    Returns:
        All loss terms, unweighted.
    """
    losses = config.losses
    networks.discriminators.requires_grad_(False)
    enhanced = enhance_batch(networks, batch, losses, state.step)
    judged = as_judged(batch, losses)
    terms = generator_terms(networks, judged, enhanced, losses, processes)
    _descend(state, state.generator_optimizer, total_loss(terms, losses.weights()), config)
    update_average(state.average, state.generator, _ema_decay(config.optimizer, state.step))
    if state.discriminator_optimizer is not None:
        networks.discriminators.requires_grad_(True)
        fake = enhanced.fake.detach()
        own = discriminator_terms(networks, judged, fake, losses, processes)
        _descend(state, state.discriminator_optimizer, total_loss(own, {}), config)
        terms |= own
    state.scaler.update()
    return {name: term.detach() for name, term in terms.items()}


def _descend(
    state: TrainingState, optimizer: torch.optim.Optimizer, loss: torch.Tensor, config: TrainConfig
) -> None:
    optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch's stubs
    longest = config.optimizer.max_gradient_norm
    if longest is not None and optimizer is state.generator_optimizer:
        state.scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(state.generator.parameters(), longest)
    state.scaler.step(optimizer)


def epoch_photos(config: TrainConfig, photos: TrainingPhotos) -> int:
    """Pictures of an epoch: the larger folder's photos, among those that a loss looks at."""
    looks_at_lit = config.losses.adversarial or (config.losses.pairs and config.pairs is None)
    return max(len(photos.low), len(photos.normal) if looks_at_lit else 0)


def total_steps(config: OptimizerConfig, epoch_photos: int) -> int:
    """Length of the run in optimiser steps."""
    return config.steps or math.ceil(config.epochs * epoch_photos / config.batch)


def learning_rate_factor(step: int, steps: int, config: OptimizerConfig) -> float:
    """Share of the learning rate in a step: rising, then 1, then falling linearly to 0."""
    decay_steps = config.decay_share * steps
    falling = (steps - step) / decay_steps if decay_steps else 1.0
    rising = (step + 1) / config.warmup_steps if config.warmup_steps else 1.0
    return min(1.0, falling, rising)


def set_learning_rates(state: TrainingState, config: OptimizerConfig, steps: int) -> None:
    """Set both optimisers' rates for the coming step."""
    factor = learning_rate_factor(state.step, steps, config)
    rates = (
        (state.generator_optimizer, config.learning_rate),
        (state.discriminator_optimizer, config.discriminator_learning_rate),
    )
    for optimizer, rate in rates:
        if optimizer is not None:
            optimizer.param_groups[0]["lr"] = rate * factor


def _rates(state: TrainingState) -> float:
    return float(state.generator_optimizer.param_groups[0]["lr"])


def _ema_decay(config: OptimizerConfig, step: int) -> float:
    """Short averages at first: the random start should not linger."""
    return min(config.ema_decay, (1 + step) / (10 + step))


def _device(config: RunConfig) -> torch.device:
    wanted = config.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TrainingError("no CUDA GPU is usable here; train with --device cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def _start(config: TrainConfig, device: torch.device, photos: TrainingPhotos) -> TrainingState:
    """A new run's state, or that of the checkpoint in the run's folder."""
    state = new_state(config, device)
    if (config.output / CHECKPOINT).exists():
        trained_on = restore_checkpoint(state, config)
        _log.info("going on from step %d of %s", state.step, config.output / CHECKPOINT)
        if trained_on != photos.fingerprint():
            _log.warning("the photos have changed since the checkpoint: their order is new")
    return state


def _networks(
    state: TrainingState,
    config: TrainConfig,
    device: torch.device,
    processes: Processes,
    teacher: Generator | None,
) -> Networks:
    """What a step runs, compiled and replicated over the processes as is wanted."""
    features = None
    if config.losses.features:
        mean_subtraction = config.losses.vgg_mean_subtraction
        features = load_vgg(config.vgg_weights, mean_subtraction=mean_subtraction).to(device)
        if config.run.channels_last:
            features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    if processes.count > 1:
        share_batch_statistics(state.generator)
    compiled = (state.generator, *state.discriminators.values(), features)
    for network in compiled if config.run.compile else ():
        if network is not None:
            network.compile()
    replicas: dict[str, nn.Module] = {
        name: processes.replicate(network) for name, network in state.discriminators.items()
    }
    return Networks(
        processes.replicate(Enhancement(state.generator, config.losses.reduction)),
        state.discriminators,
        replicas,
        features,
        # A copy: the workers that read photos keep theirs on the CPU.
        copy.deepcopy(teacher).to(device) if teacher else None,
        device,
        _PRECISIONS[config.run.precision],
        state.generator if isinstance(state.generator, LitUNet) else None,
    )


def _numbers(config: TrainConfig, steps: range, processes: Processes) -> list[list[int]]:
    batch, count = config.optimizer.batch, processes.count
    if batch % count:
        raise TrainingError(f"a batch of {batch} cannot be shared by {count} processes")
    return list(step_numbers(steps, batch, rank=processes.rank, processes=count))


def _on_device(batch: Batch, device: torch.device, config: RunConfig) -> Batch:
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    return {
        name: value.to(device, memory_format=layout, non_blocking=True)
        if value.is_floating_point()
        else value
        for name, value in batch.items()
    }


def _require_numbers(terms: Terms, step: int, config: TrainConfig) -> None:
    values = torch.stack(list(terms.values())).tolist()
    for name, value in zip(terms, values, strict=True):
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss term {name} is {value} at step {step}; the last checkpoint in "
                f"{config.output} is kept; go on with a lower learning rate or precision fp32"
            )


@contextmanager
def full_memory_explained(config: TrainConfig) -> Iterator[None]:
    """Turn a full memory into an error that says what was tried."""
    try:
        yield
    except RuntimeError as error:
        full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if not full:
            raise
        batch, crop = config.optimizer.batch, config.data.crop
        raise TrainingError(
            f"the memory is full with a batch of {batch} crops of {crop} pixels; "
            "train with a smaller --batch or --crop"
        ) from error
