"""What the browser's modules answer, by node: against Python's numbers."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from build_extension import WEB

NODE = shutil.which("node")


def by_node(
    module: str, code: str, questions: list[dict[str, Any]], *, folder: Path = WEB / "brighten"
) -> Any:
    """What a script makes of `questions`, as `answers`.

    Args:
        module: of `folder`, which the script has as `module`.
        code: the script; `floats` makes numbers of what `text_of` gives.
        questions: what it has as `questions`.
        folder: of the browser's modules.
    """
    script = f"""
const module = await import('{(folder / module).as_uri()}');
const floats = (text) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
let text = '';
for await (const chunk of process.stdin) text += chunk;
const questions = JSON.parse(text);
{code}
process.stdout.write(JSON.stringify(answers));"""
    assert NODE is not None
    ran = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "-e", script],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def text_of(array: npt.NDArray[np.float32]) -> str:
    """An array as a script's `floats` takes it."""
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def array_of(text: str) -> npt.NDArray[np.float32]:
    """The numbers of a `Float32Array` whose bytes a script gave in base64."""
    return np.frombuffer(base64.b64decode(text), "<f4")
