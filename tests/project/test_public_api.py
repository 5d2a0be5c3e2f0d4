"""The names that `tapetum.realtime` promises, as a contract."""

from __future__ import annotations

import inspect

import pytest

import tapetum.realtime
from tapetum.realtime import errors

PROMISED = [
    "Building",
    "Capture",
    "ColorInfo",
    "Comparison",
    "DeviceError",
    "EncoderSettings",
    "EngineError",
    "EnhanceResult",
    "Enhancer",
    "FileSink",
    "FileSource",
    "Frame",
    "FrameEnhancer",
    "FrameSink",
    "FrameSource",
    "LiveSource",
    "LiveStatus",
    "LiveSummary",
    "MediaError",
    "MemorySink",
    "ModelError",
    "Prefetch",
    "Progress",
    "SinkPlace",
    "Started",
    "SyntheticSource",
    "TapetumError",
    "VideoInfo",
    "WriteBehind",
    "enhance_file",
    "enhance_live",
    "live_frames",
    "make_enhancer",
    "read_image",
    "run",
    "write_image",
]


def test_exactly_these_names_are_exported() -> None:
    assert sorted(tapetum.realtime.__all__) == PROMISED
    assert dir(tapetum.realtime) == PROMISED


@pytest.mark.parametrize("name", PROMISED)
def test_each_name_is_there_and_documented(name: str) -> None:
    promised = getattr(tapetum.realtime, name)
    words = promised.__doc__ or ""  # its own: `inspect.getdoc` would take a parent's
    assert words
    assert not words.startswith(f"{name}("), "a dataclass without a docstring is given this one"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Enhancr'"):
        tapetum.realtime.Enhancr  # noqa: B018 - the access is the test


def test_loading_a_module_does_not_hide_a_function_of_its_package() -> None:
    import tapetum.realtime.enhance_media

    assert callable(tapetum.realtime.enhance_file)
    assert tapetum.realtime.enhance_file is tapetum.realtime.enhance_media.enhance_file


def test_every_error_is_a_tapetum_error() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.TapetumError)


def test_the_main_calls_keep_their_arguments() -> None:
    call = inspect.signature(tapetum.realtime.enhance_file)
    assert list(call.parameters) == [
        "input_path",
        "output_path",
        "model",
        "strength",
        "device",
        "start_s",
        "duration_s",
        "compare",
        "codec",
        "crf",
        "preset",
        "overwrite",
        "on_start",
        "on_progress",
        "on_build",
    ]
    made = inspect.signature(tapetum.realtime.Enhancer)
    assert list(made.parameters) == ["model", "strength", "device"]
