"""What other programs get of this process's environment."""

from __future__ import annotations

import pytest

from tapetum.realtime.other_programs import environment_of_others


def test_programs_do_not_get_opencv_s_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", "/venv/cv2/qt/plugins")
    monkeypatch.setenv("QT_QPA_FONTDIR", "/usr/share/fonts")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/venv/cv2/../../lib64:/opt/lib:/opt/more")
    given = environment_of_others()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in given
    assert given["QT_QPA_FONTDIR"] == "/usr/share/fonts"
    assert given["LD_LIBRARY_PATH"] == "/opt/lib:/opt/more"

    monkeypatch.setenv("LD_LIBRARY_PATH", "/venv/cv2/../../lib64:")  # as OpenCV leaves it
    assert "LD_LIBRARY_PATH" not in environment_of_others()
