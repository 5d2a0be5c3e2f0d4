"""Builds the browser extension for Chromium and Firefox: `python web/build_extension.py [FOLDER]`.

Makes tapetum-chromium.zip and tapetum-firefox.zip, and the same unpacked, in FOLDER, by default
`web/dist`. It needs `npm ci` in `web` once.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent
_PAGE = WEB.parent / "realtime/tapetum/realtime/serve/page"
_MODEL = WEB.parent / "gan/tapetum/gan/weights/grid.onnx"
_ONNXRUNTIME = WEB / "node_modules/onnxruntime-web/dist"
_FILES = {
    "brighten": [*sorted((WEB / "brighten").glob("*.js")), _MODEL],
    "extension": [
        *sorted(path for path in (WEB / "extension").iterdir() if path.suffix != ".json"),
        _PAGE / "theme.css",
        _PAGE / "controls.css",
    ],
    "onnxruntime": [
        _ONNXRUNTIME / "ort.wasm.bundle.min.mjs",
        _ONNXRUNTIME / "ort-wasm-simd-threaded.wasm",
        _ONNXRUNTIME / "ort.webgpu.bundle.min.mjs",
        _ONNXRUNTIME / "ort-wasm-simd-threaded.asyncify.wasm",
    ],
    ".": [WEB.parent / "LICENSE"],
}
_BACKGROUND = "extension/background.js"
_FIREFOX_FROM = "128.0"
"""The first that runs an extension's scripts in the world of the page."""
_ID = "tapetum@tapetum.invalid"
_TIME = (2026, 1, 1, 0, 0, 0)
"""Of all files in a zip, so that the same source makes the same zip."""


def build_extension(folder: Path) -> list[Path]:
    """Build the extension for both browsers.

    Args:
        folder: gets a folder and a zip for each; what it had of them is replaced.

    Returns:
        The unpacked extensions, for Chromium and for Firefox.

    Raises:
        FileNotFoundError: a part is missing, such as onnxruntime-web.
    """
    for path in (path for paths in _FILES.values() for path in paths):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; run npm ci in {WEB}")
    return [_build(folder / f"tapetum-{name}", _manifest(name)) for name in ("chromium", "firefox")]


def _manifest(browser: str) -> dict[str, Any]:
    """The manifest, with what the two browsers call by different names."""
    manifest: dict[str, Any] = json.loads((WEB / "extension/manifest.json").read_text())
    if browser == "chromium":
        manifest["background"] = {"service_worker": _BACKGROUND, "type": "module"}
        manifest["minimum_chrome_version"] = "111"
        # Else the frame with the network is refused by pages that isolate themselves.
        manifest["cross_origin_embedder_policy"] = {"value": "require-corp"}
    else:
        manifest["background"] = {"scripts": [_BACKGROUND], "type": "module"}
        gecko = {
            "id": _ID,
            "strict_min_version": _FIREFOX_FROM,
            "data_collection_permissions": {"required": ["none"]},
        }
        manifest["browser_specific_settings"] = {"gecko": gecko}
    return manifest


def _build(unpacked: Path, manifest: dict[str, Any]) -> Path:
    shutil.rmtree(unpacked, ignore_errors=True)
    for place, paths in _FILES.items():
        (unpacked / place).mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, unpacked / place / path.name)
    (unpacked / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    _zip(unpacked, unpacked.with_suffix(".zip"))
    return unpacked


def _zip(unpacked: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed, "w") as package:
        for path in sorted(path for path in unpacked.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(unpacked).as_posix(), _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, path.read_bytes())


def main() -> None:
    """Build into the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Builds the extension for Chromium and Firefox.")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, default=WEB / "dist")
    folder = parser.parse_args().folder
    try:
        built = build_extension(folder)
    except OSError as error:
        sys.exit(f"error: {error}")
    sys.stdout.writelines(f"{path.with_suffix('.zip')}\n" for path in built)


if __name__ == "__main__":
    main()
