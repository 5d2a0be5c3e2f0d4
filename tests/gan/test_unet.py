"""EnlightenGAN's generator against an independent, literal evaluation of the published network."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from tapetum.gan import UNetGenerator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.model_kinds import STRIDE
from tapetum.gan.unet import LitUNet, crop_from_stride, pad_to_stride, reflection_indices

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def unet() -> UNetGenerator:
    """Random weights whose BatchNorms have seen data, so that every term matters."""
    torch.manual_seed(3)
    generator = UNetGenerator()
    for name, buffer in generator.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.2)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    for parameter in generator.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return generator.eval()


def _conv(state: State, name: str, x: torch.Tensor, padding: int = 1) -> torch.Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)


def _conv_lrelu_bn(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    x = F.leaky_relu(_conv(state, f"conv{name}", x), 0.2)
    mean, var = (state[f"bn{name}.running_{stat}"] for stat in ("mean", "var"))
    return F.batch_norm(x, mean, var, state[f"bn{name}.weight"], state[f"bn{name}.bias"])


def _published_network(state: State, rgb: torch.Tensor) -> torch.Tensor:
    """The authors' forward pass, one line a layer, for sizes that are multiples of 16."""
    red, green, blue = rgb[:, :1] + 1, rgb[:, 1:2] + 1, rgb[:, 2:] + 1
    gray = 1 - (0.299 * red + 0.587 * green + 0.114 * blue) / 2
    gray2 = F.max_pool2d(gray, 2)
    gray3 = F.max_pool2d(gray2, 2)
    gray4 = F.max_pool2d(gray3, 2)
    gray5 = F.max_pool2d(gray4, 2)
    x = torch.cat((rgb, gray), 1)
    conv1 = _conv_lrelu_bn(state, "1_2", _conv_lrelu_bn(state, "1_1", x))
    x = F.max_pool2d(conv1, 2)
    conv2 = _conv_lrelu_bn(state, "2_2", _conv_lrelu_bn(state, "2_1", x))
    x = F.max_pool2d(conv2, 2)
    conv3 = _conv_lrelu_bn(state, "3_2", _conv_lrelu_bn(state, "3_1", x))
    x = F.max_pool2d(conv3, 2)
    conv4 = _conv_lrelu_bn(state, "4_2", _conv_lrelu_bn(state, "4_1", x))
    x = F.max_pool2d(conv4, 2)
    x = _conv_lrelu_bn(state, "5_1", x) * gray5
    x = _conv_lrelu_bn(state, "5_2", x)
    for level, skip, gate in ((6, conv4, gray4), (7, conv3, gray3), (8, conv2, gray2)):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = torch.cat((_conv(state, f"deconv{level - 1}", x), skip * gate), 1)
        x = _conv_lrelu_bn(state, f"{level}_2", _conv_lrelu_bn(state, f"{level}_1", x))
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    x = torch.cat((_conv(state, "deconv8", x), conv1 * gray), 1)
    x = _conv_lrelu_bn(state, "9_1", x)
    x = F.leaky_relu(_conv(state, "conv9_2", x), 0.2)
    return rgb + _conv(state, "conv10", x, padding=0) * gray


def test_has_the_published_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in UNetGenerator().parameters()) == 8_636_675


def test_has_the_published_layer_names() -> None:
    layers = {key.rsplit(".", 1)[0] for key in UNetGenerator().state_dict()}
    convolutions = {f"conv{level}_{place}" for level in range(1, 10) for place in (1, 2)}
    norms = {f"bn{level}_{place}" for level in range(1, 10) for place in (1, 2)} - {"bn9_2"}
    assert layers == convolutions | norms | {f"deconv{n}" for n in range(5, 9)} | {"conv10"}


def test_gives_the_numbers_of_the_published_network(unet: UNetGenerator) -> None:
    rgb = torch.rand(2, 3, 48, 80, dtype=torch.float64) * 2 - 1
    unet.double()
    with torch.no_grad():
        expected = _published_network(unet.state_dict(), rgb)
        torch.testing.assert_close(unet(rgb), expected, rtol=1e-10, atol=1e-10)
    unet.float()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (15, 17), (33, 100)])
def test_keeps_any_size(unet: UNetGenerator, height: int, width: int) -> None:
    with torch.no_grad():
        assert unet(torch.zeros(1, 3, height, width)).shape == (1, 3, height, width)


def test_pads_by_reflection_evenly_on_both_sides() -> None:
    picture = torch.arange(20.0).expand(1, 1, 20, 20)
    padded = pad_to_stride(picture)
    assert padded.shape[-2:] == (32, 32)
    assert padded[0, 0, 0].tolist() == F.pad(picture, (6, 6, 0, 0), "reflect")[0, 0, 0].tolist()
    assert torch.equal(crop_from_stride(padded, 20, 20), picture)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pads_pictures_smaller_than_their_padding(size: int) -> None:
    indices = reflection_indices(size)
    assert len(indices) == STRIDE
    assert set(indices) == set(range(size))
    top = (STRIDE - size) // 2
    assert indices[top : top + size] == list(range(size))
    assert all(abs(a - b) == (size > 1) for a, b in pairwise(indices))


@pytest.mark.slow
def test_learns_a_brighter_picture() -> None:
    torch.manual_seed(0)
    generator = UNetGenerator().train()
    rgb = torch.rand(2, 3, 32, 32) * 0.2 - 1
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = (generator(rgb) - (rgb + 0.5)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def lit_unet() -> LitUNet:
    torch.manual_seed(2)
    return LitUNet().eval()


def test_a_lit_unet_is_the_unet_of_what_its_light_makes() -> None:
    generator, dark = lit_unet(), torch.rand(1, 3, 33, 50) * 0.3 - 1
    plain = UNetGenerator().eval()
    plain.load_state_dict(
        {key: value for key, value in generator.state_dict().items() if "light" not in key}
    )
    with torch.no_grad():
        bright = generator.light(dark).clamp(-1, 1)
        assert torch.equal(generator(dark), plain(bright))


def test_only_the_unet_of_a_lit_unet_learns() -> None:
    generator = lit_unet().train()
    before = {key: value.clone() for key, value in generator.light.state_dict().items()}
    loss = generator(torch.rand(2, 3, 32, 32) * 0.3 - 1).mean()
    torch.autograd.backward(loss)
    assert all(parameter.grad is None for parameter in generator.light.parameters())
    assert generator.conv10.weight.grad is not None
    for key, value in generator.light.state_dict().items():  # the running means too
        assert torch.equal(value, before[key])


def test_a_unets_weights_get_a_light_and_change_it() -> None:
    plain, lights = UNetGenerator(), [GridGenerator() for _ in range(2)]
    first = LitUNet.of(plain, lights[0])
    second = LitUNet.of(first, lights[1])
    for made, light in zip((first, second), lights, strict=True):
        assert torch.equal(made.conv10.weight, plain.conv10.weight)
        assert made.light is light


def test_large_channels_fit_half_precision_and_give_the_same(unet: UNetGenerator) -> None:
    generator, dark = copy.deepcopy(unet), torch.rand(1, 3, 32, 32) * 0.3 - 1
    state = generator.state_dict()
    for name, factor in (("conv6_1.weight", 3e4), ("bn6_1.running_var", 9e8)):
        state[name].mul_(factor)
    with torch.no_grad():
        wanted = generator(dark)
        generator.fit_half_precision()
        assert torch.allclose(generator(dark), wanted, atol=1e-5)
    assert all(torch.isfinite(value.half()).all() for value in state.values())
