"""What becomes of photos in training."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.training_photos import tiny_settings, write_both, write_photos

from tapetum.gan import training_data
from tapetum.gan.errors import DataError
from tapetum.gan.generator import Generator
from tapetum.gan.photos import Photo, read_photo
from tapetum.gan.simulation.pair_set import PairSet
from tapetum.gan.training_config import DataConfig, LossConfig
from tapetum.gan.training_data import (
    Batch,
    TrainingPhotos,
    UnpairedPhotos,
    batches,
    darkening,
    find_training_photos,
    random_window,
    readable_photos,
    spoiled,
    step_numbers,
)

pytestmark = pytest.mark.slow

PAIRS = LossConfig(pair_pixel=1.0, patch=16)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> TrainingPhotos:
    folders = write_both(tmp_path_factory.mktemp("photos"))
    return TrainingPhotos(*(readable_photos(Path(folders[name])) for name in ("low", "normal")))


def read(dataset: UnpairedPhotos, steps: range, *, workers: int = 0) -> list[Batch]:
    with closing(batches(dataset, list(step_numbers(steps, 2)), workers=workers)) as stream:
        return list(stream)


def same(first: Batch, second: Batch) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())


def test_a_batch_has_every_picture_in_range(photos: TrainingPhotos) -> None:
    data = DataConfig(crop=32, noise_share=1.0, jpeg_share=1.0)
    (batch,) = read(UnpairedPhotos(photos, data, PAIRS, seed=1), range(1))
    assert batch.pop("corners").shape == (2, 6, 2)
    assert batch.keys() == {"low", "low_input", "normal", "dark", "clean", "target"}
    for picture in batch.values():
        assert picture.shape == (2, 3, 32, 32)
        assert picture.min() >= -1
        assert picture.max() <= 1
    assert batch["low"].mean() < batch["normal"].mean()
    assert batch["dark"].mean() < batch["target"].mean()


def test_the_teacher_sees_the_whole_photo_and_its_picture_is_cut_alike(
    photos: TrainingPhotos,
) -> None:
    class Inverse(Generator):
        kind = "unet"

        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            return -rgb

    losses = LossConfig(low_illumination=1.0)
    dataset = UnpairedPhotos(photos, DataConfig(crop=32), losses, seed=1, teacher=Inverse())
    for number in range(4):
        picture = dataset[number]
        # Darkened as the input is, in whole levels of [-1, 1].
        torch.testing.assert_close(picture["lit"], -picture["low_input"], atol=1.01 / 255, rtol=0)


def test_noise_is_taken_out_of_low_light_photos(photos: TrainingPhotos) -> None:
    noisy, cleared = (
        UnpairedPhotos(photos, DataConfig(crop=32, denoised_share=share), PAIRS, seed=1)[0]["low"]
        for share in (1e-9, 1.0)
    )
    torch.testing.assert_close(cleared, noisy, atol=0.2, rtol=0)
    assert cleared.diff(dim=-1).abs().mean() < noisy.diff(dim=-1).abs().mean()


def test_harsh_pairs_are_as_many_as_asked_for(photos: TrainingPhotos) -> None:
    plain, harsh = (
        UnpairedPhotos(photos, DataConfig(crop=32, harsh_share=share), PAIRS, seed=1)
        for share in (0.0, 1.0)
    )
    assert not torch.equal(plain[0]["clean"], harsh[0]["clean"])
    assert torch.equal(plain[0]["normal"], harsh[0]["normal"])


def test_there_are_no_pairs_unless_a_loss_looks_at_them(photos: TrainingPhotos) -> None:
    dataset = UnpairedPhotos(photos, DataConfig(crop=32), LossConfig(), seed=1)
    assert "dark" not in dataset[0]


def test_a_picture_depends_on_nothing_but_the_seed_and_its_number(photos: TrainingPhotos) -> None:
    data = DataConfig(crop=32, noise_share=0.5, jpeg_share=0.5)
    ahead, fresh = (UnpairedPhotos(photos, data, PAIRS, seed=3) for _ in range(2))
    every = [ahead[number] for number in range(8)]
    assert same(every[7], fresh[7])
    assert not same(every[7], UnpairedPhotos(photos, data, PAIRS, seed=4)[7])


def test_a_sets_pairs_are_cut_alike_and_need_no_photo(
    photos: TrainingPhotos, tmp_path: Path
) -> None:
    dark = np.random.default_rng(1).integers(0, 60, (3, 40, 40, 3)).astype(np.uint8)
    np.save(tmp_path / "pairs-00000.npy", np.stack((dark, 4 * dark), axis=1))
    unpaired = ("global_adversarial", "local_adversarial", "global_features", "local_features")
    losses = LossConfig(pair_pixel=1.0, patch=16, **dict.fromkeys(unpaired, 0.0))  # type: ignore[arg-type]
    dataset = UnpairedPhotos(photos, DataConfig(crop=32), losses, seed=1, pairs=PairSet(tmp_path))
    for batch in read(dataset, range(3), workers=1):
        assert batch.keys() == {"dark", "target", "corners"}
        assert batch["dark"].shape == (2, 3, 32, 32)
        torch.testing.assert_close(batch["target"] + 1, 4 * (batch["dark"] + 1))


def test_workers_read_the_same_batches(photos: TrainingPhotos) -> None:
    dataset = UnpairedPhotos(photos, DataConfig(crop=32), PAIRS, seed=1)
    here, elsewhere = read(dataset, range(3)), read(dataset, range(3), workers=1)
    assert len(here) == len(elsewhere) == 3
    assert all(map(same, here, elsewhere))


@pytest.mark.parametrize("kind", ["low", "normal"])
def test_every_photo_comes_once_before_any_comes_again(
    photos: TrainingPhotos, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_paths: list[Path] = []

    def noted(path: Path) -> Photo:
        read_paths.append(path)
        return read_photo(path)

    monkeypatch.setattr(training_data, "read_photo", noted)
    dataset = UnpairedPhotos(photos, DataConfig(crop=32), LossConfig(), seed=1)
    folder = getattr(photos, kind)
    for number in range(2 * len(folder)):
        dataset[number]
    order = [path for path in read_paths if path in folder]
    epochs = order[: len(folder)], order[len(folder) :]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(folder)
    assert epochs[0] != epochs[1]


def test_processes_share_a_steps_batch() -> None:
    parts = [list(step_numbers(range(2, 4), 4, rank=rank, processes=2)) for rank in range(2)]
    assert parts == [[[8, 9], [12, 13]], [[10, 11], [14, 15]]]


@pytest.mark.parametrize("shape", [(3, 5), (40, 400), (32, 32), (1, 1)])
def test_windows_of_any_photo_have_the_crops_size(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    config = DataConfig(crop=32, max_reduction=2.0)
    assert random_window(photo, config, np.random.default_rng(1)).shape == (32, 32, 3)


def test_windows_are_the_photos_own_pixels_or_their_mirror() -> None:
    photo = np.arange(40 * 50 * 3, dtype=np.uint16).reshape(40, 50, 3).astype(np.uint8)
    windows = {
        photo[top : top + 32, left : left + 32][::down, ::right].tobytes()
        for top in range(9)
        for left in range(19)
        for right in (1, -1)
        for down in (1, -1)
    }
    for seed in range(8):
        window = random_window(photo, DataConfig(crop=32), np.random.default_rng(seed))
        assert window.tobytes() in windows


def test_darkening_divides_by_two_to_four() -> None:
    config = DataConfig(darkened_share=0.5)
    divisors = [darkening(config, np.random.default_rng(seed)) for seed in range(80)]
    darkened = [divisor for divisor in divisors if divisor != 1]
    assert 20 < len(darkened) < 60
    assert 2 <= min(darkened) < 2.2
    assert 3.6 < max(darkened) <= 4


def test_noise_and_jpeg_change_the_input_alone_and_little() -> None:
    unit = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) / 4
    for config in (
        DataConfig(darkened_share=0, noise_share=1.0),
        DataConfig(darkened_share=0, jpeg_share=1.0),
    ):
        changed = spoiled(unit, config, np.random.default_rng(5))
        assert not torch.equal(changed, unit)
        assert (changed - unit).abs().mean() < 0.1


def test_the_noise_of_low_light_inputs_is_purple_too() -> None:
    config, rng = DataConfig(noise_share=1.0), np.random.default_rng(5)
    red, green, blue = torch.stack(
        [spoiled(torch.zeros(3, 32, 32), config, rng).mean((1, 2)) for _ in range(8)]
    ).mean(0)
    assert min(red, blue) > 1.1 * green


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    picture = np.zeros((20, 40, 3), np.uint8)
    _, encoded = cv2.imencode(".jpg", picture)
    # An EXIF segment whose one tag says: turn by 90 degrees.
    tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + tag + b"\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + tiff
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    jpeg = encoded.tobytes()
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    from tapetum.gan.photos import read_photo

    assert read_photo(tmp_path / "turned.jpg").shape == (40, 20, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_every_format_is_read_at_any_depth(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / f"photo{suffix}"
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), np.full((10, 12, 3), 90, np.uint8))
    assert readable_photos(tmp_path) == (path,)


def test_broken_photos_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_photos(tmp_path, 10, brightest=90)
    (tmp_path / "broken.jpg").write_bytes(b"no jpeg")
    assert len(readable_photos(tmp_path)) == 10
    assert "broken.jpg" in caplog.text
    assert "1 of 11" in caplog.text


def test_too_many_broken_photos_are_an_error(tmp_path: Path) -> None:
    write_photos(tmp_path, 1, brightest=90)
    (tmp_path / "broken.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 2"):
        readable_photos(tmp_path)


def test_fewer_photos_than_a_batch_are_an_error(tmp_path: Path) -> None:
    config = tiny_settings(write_both(tmp_path), tmp_path / "run", optimizer={"batch": 8})
    with pytest.raises(DataError, match="holds 6 photos, fewer than a batch of 8"):
        find_training_photos(config)


@pytest.mark.parametrize(
    ("normal", "output", "message"),
    [
        ("low", "run", "low is given as the low-light and as the well-lit folder$"),
        ("low/../low", "run", "low is given as the low-light and as the well-lit folder$"),
        (".", "run", "low lies in .*, which would take its photos"),
        ("low/deep", "run", "deep lies in .*low, which would take its photos"),
        ("normal", "low/run", "run lies in .*low; name a folder for the run outside of it$"),
        ("normal", "normal", "normal lies in .*normal; name a folder for the run"),
        ("normal", "link/run", "run lies in .*normal; name a folder for the run"),
    ],
)
def test_folders_that_would_mix_photos_are_refused(
    tmp_path: Path, normal: str, output: str, message: str
) -> None:
    folders = write_both(tmp_path) | {"normal": str(tmp_path / normal)}
    write_photos(tmp_path / "low" / "deep", 2, brightest=40)
    (tmp_path / "link").symlink_to(tmp_path / "normal")
    with pytest.raises(DataError, match=message):
        find_training_photos(tiny_settings(folders, tmp_path / output))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_breaks_during_the_run_is_named(tmp_path: Path, workers: int) -> None:
    folders = write_both(tmp_path)
    low, normal = (readable_photos(Path(folders[name])) for name in ("low", "normal"))
    low[0].write_bytes(b"")
    dataset = UnpairedPhotos(TrainingPhotos(low, normal), DataConfig(crop=32), PAIRS, seed=1)
    expected = f"^{low[0]} is not a readable photo, but was when the run started$"
    with pytest.raises(DataError, match=expected):
        read(dataset, range(3), workers=workers)


def test_the_fingerprint_tells_other_photos(photos: TrainingPhotos) -> None:
    fewer = TrainingPhotos(photos.low[1:], photos.normal)
    assert fewer.fingerprint() != photos.fingerprint()


def test_photos_whose_names_are_no_text_have_a_fingerprint() -> None:
    photos = TrainingPhotos((Path("night\udcff.jpg"),), (Path("day.jpg"),))  # as os.fsdecode reads
    assert len(photos.fingerprint()) == 16
