"""What is known of each video encoder: its names, how it takes quality and speed, what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

ENCODER_NAMES = {
    "h264": "libx264",
    "avc": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "ffv1": "ffv1",
    "dnxhd": "dnxhd",
}
"""Friendly names of codecs and the encoder that each stands for."""

HEVC_ENCODERS = ("libx265", "hevc_nvenc")
"""Encoders whose streams Apple's players only take under the tag hvc1."""

_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


@dataclass(frozen=True, slots=True)
class Quality:
    """How an encoder takes quality and speed."""

    crf: int | None = None
    crf_range: tuple[int, int] = (0, 51)
    crf_option: str = "crf"
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    options: dict[str, str] = field(default_factory=dict)
    even_size: bool = False
    min_size: int = 1
    reads_at_once: bool = False
    stores_aspect_ratio: bool = False
    needs: str | None = None


def _nvenc(cq: int, cq_max: int, *, stores_aspect_ratio: bool = True) -> Quality:
    """An encoder on a GPU.

    B-frames are off: their decode times would be counted in whole frames, which is wrong where
    the rate varies.
    """
    return Quality(
        crf=cq,
        crf_range=(1, cq_max),
        crf_option="cq",
        preset="p4",
        presets=tuple(f"p{number}" for number in range(1, 8)),
        options={"rc": "vbr", "bf": "0"},
        even_size=True,
        stores_aspect_ratio=stores_aspect_ratio,
        needs="an NVIDIA GPU with NVENC and its driver",
    )


PLAIN = Quality()
QUALITIES = {
    "libx264": Quality(
        crf=20,
        preset="veryfast",
        presets=_X26X_PRESETS,
        even_size=True,
        stores_aspect_ratio=True,
        reads_at_once=True,
    ),
    "libx265": Quality(
        crf=22,
        preset="veryfast",
        presets=_X26X_PRESETS,
        even_size=True,
        stores_aspect_ratio=True,
        min_size=16,
        options={"x265-params": "log-level=none"},
        reads_at_once=True,
    ),
    "libsvtav1": Quality(
        crf=32,
        crf_range=(0, 63),
        preset="10",
        presets=tuple(str(number) for number in range(14)),
        min_size=4,
        reads_at_once=True,
    ),
    "libvpx-vp9": Quality(
        crf=31,
        crf_range=(0, 63),
        preset="6",
        presets=tuple(str(number) for number in range(9)),
        preset_option="cpu-used",
        options={"b": "0", "deadline": "good", "row-mt": "1", "tile-columns": "2"},
        reads_at_once=True,
    ),
    "prores_ks": Quality(options={"vendor": "apl0"}),
    "ffv1": Quality(options={"level": "3"}),
    "h264_nvenc": _nvenc(23, 51),
    "hevc_nvenc": _nvenc(25, 51),
    "av1_nvenc": _nvenc(32, 63, stores_aspect_ratio=False),
}


def is_nvenc(name: str) -> bool:
    """Whether an encoder is NVIDIA's, in the GPU."""
    return name.endswith("_nvenc")
