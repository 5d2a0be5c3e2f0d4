"""The names that `tapetum.realtime` promises, as a contract."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import tapetum.realtime
from tapetum.realtime import errors

PROMISED = dir(tapetum.realtime)


def test_the_names_of_the_readme_are_among_them() -> None:
    assert {"Enhancer", "Frame", "enhance_file", "enhance_live", "live_frames"} <= set(PROMISED)


def test_python_finds_the_names_where_type_checkers_do() -> None:
    stub = ast.parse(Path(tapetum.realtime.__file__ or "").with_suffix(".pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    homes = {str(alias.asname): node.module for node in imports for alias in node.names}
    assert [node for node in stub.body if node not in imports] == stub.body[:1]  # what it is about
    assert sorted(homes) == PROMISED
    for name, module in homes.items():
        value = getattr(tapetum.realtime, name)
        home = importlib.import_module(f"tapetum.realtime.{module}")
        assert value is getattr(home, name)
        assert vars(tapetum.realtime)[name] is value, "it is looked for once"


@pytest.mark.parametrize("name", PROMISED)
def test_each_name_is_there_and_documented(name: str) -> None:
    promised = getattr(tapetum.realtime, name)
    words = promised.__doc__ or ""  # its own: `inspect.getdoc` would take a parent's
    assert words
    assert not words.startswith(f"{name}("), "a dataclass without a docstring is given this one"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match=r"module 'tapetum\.realtime' has no attribute 'Enhancr'"
    ):
        getattr(tapetum.realtime, "Enhancr")  # noqa: B009 - type checkers know that it is wrong


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
        "denoise",
        "start_s",
        "duration_s",
        "rate",
        "deinterlace",
        "compare",
        "when_dark",
        "brightness",
        "codec",
        "crf",
        "preset",
        "overwrite",
        "enhancer",
        "on_start",
        "on_progress",
        "on_build",
    ]
    made = inspect.signature(tapetum.realtime.Enhancer)
    assert list(made.parameters) == [
        "model",
        "strength",
        "device",
        "when_dark",
        "brightness",
        "denoise",
    ]
