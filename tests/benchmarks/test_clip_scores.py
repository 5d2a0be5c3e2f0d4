"""Flicker and warped error, on motion and brightness that are known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from tapetum.benchmarks.evaluate.clips import score_clip, warped_error
from tapetum.benchmarks.measure.frames import flicker
from tapetum.realtime import make_enhancer


def test_flicker_ignores_steady_change_and_sees_trembling() -> None:
    ramp = np.linspace(20, 60, 50)
    assert flicker(ramp) == pytest.approx(0, abs=1e-9)
    trembling = ramp + np.resize([0.5, -0.5], 50)
    assert flicker(trembling) == pytest.approx(2.0, rel=0.05)


def _texture() -> np.ndarray:
    noise = np.random.default_rng(0).random((80, 120)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), dtype=np.float32)


def test_warped_error_follows_the_motion() -> None:
    before = _texture()
    after = np.roll(before, 4, axis=1).astype(np.float32)
    flow = np.zeros((80, 120, 2), np.float32)
    seen = np.zeros((80, 120), bool)
    seen[:, 10:-10] = True
    still = warped_error(before, after, flow, seen)
    flow[..., 0] = -4
    assert warped_error(before, after, flow, seen) == pytest.approx(0, abs=1e-6)
    assert still > 0.1
    assert warped_error(before, after + np.float32(0.1), flow, seen) == pytest.approx(10, rel=1e-3)


def test_warped_error_of_nothing_seen_is_zero() -> None:
    nothing = np.zeros((4, 4), bool)
    picture = np.ones((4, 4), np.float32)
    assert warped_error(picture, picture, np.zeros((4, 4, 2), np.float32), nothing) == 0


def test_a_clip_is_scored_before_and_after(short_clip: Path, gain_model: Path) -> None:
    score = score_clip(short_clip, make_enhancer(gain_model))
    assert score.frames == 12
    before, after = score.mean_luma
    assert after - 16 == pytest.approx(3 * (before - 16), abs=3)
    assert score.flicker[1] > score.flicker[0] >= 0
    assert score.warped_error[1] > score.warped_error[0] > 0
    assert json.loads(json.dumps(asdict(score)))["clip"] == short_clip.name


def test_strength_0_changes_no_figure(short_clip: Path) -> None:
    score = score_clip(short_clip, make_enhancer("grid", strength=0))
    for before, after in (score.mean_luma, score.flicker, score.warped_error):
        assert before == after
