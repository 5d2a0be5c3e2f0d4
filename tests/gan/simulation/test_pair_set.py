"""Pairs on disk, and clips with clean twins."""

from __future__ import annotations

import pickle
from pathlib import Path

import av
import numpy as np
import pytest
from support.scene_folders import write_scenes

from tapetum.gan.errors import DataError
from tapetum.gan.simulation.clips import draw_clip, write_clip
from tapetum.gan.simulation.conditions import Conditions, draw_conditions, ideal, recorded
from tapetum.gan.simulation.contact_sheet import COLUMNS, stages, write_contact_sheet
from tapetum.gan.simulation.good_camera import shown
from tapetum.gan.simulation.pair_set import SHARD, PairSet, draw_pair, write_pairs
from tapetum.gan.simulation.scenes import Scene, SceneFolders, backlit


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def scenes(folders: tuple[Path, Path]) -> SceneFolders:
    return SceneFolders(*folders)


@pytest.fixture(scope="module")
def written(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    assert list(write_pairs(folder, *folders, shards=2, size=32, processes=2)) == [0, 1]
    return folder


def test_a_pair_is_a_function_of_the_seed_and_its_number(
    written: Path, scenes: SceneFolders
) -> None:
    pairs = PairSet(written)
    assert len(pairs) == 2 * SHARD
    for number in (0, SHARD - 1, SHARD, 2 * SHARD - 1):
        drawn = draw_pair(scenes, 32, np.random.default_rng((1, number)))
        np.testing.assert_array_equal(pairs[number].dark, drawn.dark)
        np.testing.assert_array_equal(pairs[number].ideal, drawn.ideal)


def test_a_set_goes_on_with_what_it_lacks(written: Path, folders: tuple[Path, Path]) -> None:
    second = written / "pairs-00001.npy"
    before = second.read_bytes()
    second.unlink()
    assert list(write_pairs(written, *folders, shards=2, size=32)) == [1]
    assert second.read_bytes() == before


def test_most_pairs_are_dark_and_some_are_to_be_left_as_they_are(written: Path) -> None:
    pairs = [PairSet(written)[number] for number in range(2 * SHARD)]
    untouched = np.mean([np.array_equal(pair.dark, pair.ideal) for pair in pairs])
    assert 0.1 < untouched < 0.3
    darker = np.mean([pair.dark.mean() < 0.5 * pair.ideal.mean() for pair in pairs])
    assert darker > 0.4


def test_another_process_opens_the_set_itself(written: Path) -> None:
    pickled = pickle.dumps(PairSet(written))
    assert len(pickled) < 10_000
    np.testing.assert_array_equal(pickle.loads(pickled)[3].dark, PairSet(written)[3].dark)


def test_a_folder_without_pairs_and_a_broken_shard_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pairs"):
        PairSet(tmp_path)
    (tmp_path / "pairs-00000.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"pairs-00000\.npy is not a readable shard"):
        PairSet(tmp_path)


def test_scenes_without_panoramas_are_refused(folders: tuple[Path, Path]) -> None:
    photos, _ = folders
    with pytest.raises(DataError, match="no panorama"):
        SceneFolders(photos, photos)


def test_against_the_light_the_dark_parts_lose_light_and_the_bright_keep_it() -> None:
    radiance = np.full((96, 96, 3), (0.1, 0.08, 0.05), np.float32)
    radiance[:40] = (0.8, 0.9, 1.0)
    scene = Scene(radiance, shown(radiance))
    made = backlit(scene, np.random.default_rng(1))
    np.testing.assert_allclose(made.radiance[:16], radiance[:16], rtol=0.05)
    lost = made.radiance[80:] / radiance[80:]
    assert 0.02 < lost.mean() < 0.5
    np.testing.assert_allclose(lost, lost[..., :1] + np.zeros(3), rtol=1e-5)  # no hue turns
    np.testing.assert_array_equal(made.display, scene.display)


def test_more_light_in_the_recording_is_less_noise(scenes: SceneFolders) -> None:
    scene = scenes.draw(64, np.random.default_rng(4))
    noise = []
    for electrons in (100.0, 10_000.0):
        conditions = Conditions(exposure=0.2, electrons=electrons)
        frames = recorded([scene.radiance] * 2, conditions, np.random.default_rng(1))
        noise.append(np.std(frames[0].astype(float) - frames[1]))
    assert noise[1] < 0.3 * noise[0]


def test_a_recording_has_the_exposure_that_was_asked(scenes: SceneFolders) -> None:
    scene = scenes.draw(64, np.random.default_rng(4))
    flat = np.full_like(scene.radiance, 0.5)
    picture = recorded([flat], Conditions(0.1, 1e6), np.random.default_rng(1))[0]
    middle = picture[28:36, 28:36].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, 255 * (0.1 * 0.5) ** (1 / 2.2), atol=2)


def test_the_ideal_keeps_the_color_that_the_recording_has() -> None:
    grey = np.full((32, 32, 3), 0.4, np.float32)
    orange = Conditions(0.5, 1e6, light=(1.6, 0.9, 0.3), balanced_share=0.3)
    picture = recorded([grey], orange, np.random.default_rng(1))[0][16, 16].astype(float)
    wanted = ideal(np.full((32, 32, 3), 0.5, np.float32), grey, orange)[16, 16].astype(float)
    np.testing.assert_allclose(wanted / wanted[1], picture / picture[1], rtol=0.03)


def test_clips_move_and_their_twins_are_aligned_and_clean(
    scenes: SceneFolders, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    clip = draw_clip(scenes.draw_panorama(rng), 96, 64, frames=4, rng=rng)
    assert len(clip.dark) == len(clip.ideal) == 4
    assert not np.array_equal(clip.ideal[0], clip.ideal[3])
    assert np.mean(clip.dark) < 0.7 * np.mean(clip.ideal)
    path = tmp_path / "clip.mkv"
    write_clip(clip.ideal, path)
    with av.open(path) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 4
    assert np.abs(np.stack(frames).astype(int) - np.stack(clip.ideal)).max() <= 3


def test_the_sheet_shows_every_part(scenes: SceneFolders, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    row = stages(scenes.draw(64, rng), draw_conditions(rng, exposure=(0.05, 0.05)), 1)
    assert len(row) == len(COLUMNS)
    exposed, dark, noisy = (picture.astype(float) for picture in row[:3])
    assert dark.mean() < 0.6 * exposed.mean()
    assert np.std(noisy - dark) > 0
    write_contact_sheet(scenes, tmp_path / "sheet.png", rows=2, size=32)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
