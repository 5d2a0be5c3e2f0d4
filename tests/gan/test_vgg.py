"""VGG-16's features: its layout, whoever wrote the weights, and what makes it blind to exposure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from tapetum.gan.errors import ModelError
from tapetum.gan.losses import self_feature_preserving_loss
from tapetum.gan.photos import find_photos, read_photo
from tapetum.gan.vgg import VGGFeatures, load_vgg

pytestmark = pytest.mark.slow

TORCHVISION_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file({name: value.half() for name, value in VGGFeatures().state_dict().items()}, path)
    return path


def test_three_max_pools_and_512_channels(weights: Path) -> None:
    features = load_vgg(weights)(torch.zeros(1, 3, 32, 48))
    assert features.shape == (1, 512, 4, 6)
    assert features.min() >= 0


def test_nothing_of_it_is_trained(weights: Path) -> None:
    assert not any(parameter.requires_grad for parameter in load_vgg(weights).parameters())


def test_the_authors_names_are_known(weights: Path, tmp_path: Path) -> None:
    state = {name: value.float() for name, value in load_vgg(weights).state_dict().items()}
    path = tmp_path / "vgg16.weight.pth"
    authors = {re.sub(r"block(\d)_conv", r"conv\1_", name): value for name, value in state.items()}
    assert "conv5_1.weight" in authors
    torch.save(authors | {"conv5_2.bias": torch.zeros(512)}, path)
    found = load_vgg(path).state_dict()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_torchvisions_weights_see_what_they_were_trained_on(weights: Path, tmp_path: Path) -> None:
    state = {name: value.float() for name, value in load_vgg(weights).state_dict().items()}
    names = [name.removesuffix(".weight") for name in state if name.endswith("weight")]
    torchvision = {
        f"features.{place}.{kind}": state[f"{name}.{kind}"].clone()
        for place, name in zip(TORCHVISION_PLACES, names, strict=True)
        for kind in ("weight", "bias")
    }
    path = tmp_path / "vgg16.pth"
    torch.save(torchvision | {"classifier.0.bias": torch.zeros(3)}, path)
    rgb = torch.rand(1, 3, 8, 8)
    first = load_vgg(path).get_submodule("block1_conv1")
    found = first(255 * rgb.flip(1))
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    weight, bias = torchvision["features.0.weight"], torchvision["features.0.bias"]
    torch.testing.assert_close(found, F.conv2d(rgb / deviation, weight, bias, padding=1))


def test_the_mean_colour_is_subtracted_only_if_wanted(weights: Path) -> None:
    mean_rgb = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    picture = (mean_rgb / 127.5 - 1).expand(1, 3, 16, 16)
    black = torch.full((1, 3, 16, 16), -1.0)
    subtracting, plain = load_vgg(weights, mean_subtraction=True), load_vgg(weights)
    torch.testing.assert_close(subtracting(picture), plain(black), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(subtracting(black), plain(black), atol=1e-4)


def test_other_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"block1_conv1.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(ModelError, match=r"other\.safetensors holds no VGG-16"):
        load_vgg(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        load_vgg(tmp_path / "absent.pth")


def test_real_features_forgive_exposure_and_not_content(shared_data: Path) -> None:
    features = load_vgg(shared_data / "weights" / "vgg16_hed_bgr_fp16.safetensors")
    paths = find_photos(shared_data / "train" / "normal")[:2]
    photos = [torch.from_numpy(read_photo(path)[:128, :128].copy()) for path in paths]
    photo, other = (p.permute(2, 0, 1)[None].float() / 127.5 - 1 for p in photos)
    halved = (photo + 1) / 2 - 1
    wanted = features(photo)
    exposure = self_feature_preserving_loss(wanted, features(halved)).item()
    content = self_feature_preserving_loss(wanted, features(other)).item()
    assert exposure < 0.1
    assert content > 0.8
