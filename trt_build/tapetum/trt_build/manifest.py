"""What an engine is, written as JSON beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from tapetum.gan.errors import ModelError
from tapetum.trt_build.profile import Profile

RECIPE = 3
"""Raised whenever the way from a model to its engine changes, so that older engines are stale."""


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """All that decides what an engine's bytes are; what differs here is another engine.

    Attributes:
        model_sha256: of the model file.
        runtime: "tensorrt", "tensorrt-rtx" or "torch-tensorrt".
        runtime_version: its version.
        gpu: name of the GPU that it was built on, or None for a target that was named.
        target: compute capability, like "sm_89".
        profile: the picture sizes, (height, width).
        precision: of most layers; a `grid` engine takes and gives float32, a `unet` engine this.
        recipe: `RECIPE` at the time.
    """

    model_sha256: str
    runtime: str
    runtime_version: str
    gpu: str | None
    target: str
    profile: Profile
    precision: str = "fp16"
    recipe: int = RECIPE

    @property
    def description(self) -> str:
        """Sizes, GPU and compiler, like "640x368 for NVIDIA L4, sm_89 with tensorrt 11.0 fp16"."""
        return f"{self.profile} for {self._where} with {self._maker} {self.precision}"

    def difference(self, kept: EngineIdentity) -> str | None:
        """Why an engine that was made for the same purpose is not this one; None: it was not.

        An engine for a target that was named, or of another runtime, is for other purposes.
        """
        if self._purpose != kept._purpose:
            return None
        if self._maker != kept._maker:
            return f"the one kept is of {kept._maker}"
        if self._where != kept._where:
            return f"the one kept is for {kept._where}"
        return "the one kept was made in another way"

    @property
    def _purpose(self) -> tuple[object, ...]:
        here = "here" if self.gpu else self.target
        return self.model_sha256, self.profile, self.runtime, here

    @property
    def _where(self) -> str:
        return f"{self.gpu}, {self.target}" if self.gpu else self.target

    @property
    def _maker(self) -> str:
        return f"{self.runtime} {self.runtime_version}"

    @property
    def key(self) -> str:
        """SHA-256 over all of it."""
        canonical = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """An engine's record.

    Attributes:
        identity: what decides its bytes.
        model: the model's name or file.
        generator: "grid" or "unet".
        float32_layers: layers that float16 would have spoiled; None where the runtime decides.
        engine_sha256: of the engine's bytes.
        size_bytes: of the engine.
        built_at: UTC time in ISO 8601.
        psnr_db: of the engine's output against the float32 reference's, the lowest of those at the
            sizes of the profile, finite; None: not verified yet.
        psnr_floor_db: below this an engine is refused.
    """

    identity: EngineIdentity
    model: str
    generator: str
    float32_layers: tuple[str, ...] | None
    engine_sha256: str
    size_bytes: int
    built_at: str
    psnr_db: float | None
    psnr_floor_db: float

    def to_json(self) -> str:
        """The manifest's text."""
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read a manifest.

        Raises:
            ValueError: the text is no JSON, or not that of a manifest.
        """
        try:
            fields = json.loads(text)
            identity = dict(fields.pop("identity"))
            sizes = identity.pop("profile")
            profile = Profile(*((int(h), int(w)) for h, w in map(sizes.get, _SIZES)))
            layers = fields.pop("float32_layers")
            return cls(
                identity=EngineIdentity(profile=profile, **identity),
                float32_layers=None if layers is None else tuple(layers),
                **_checked(fields),
            )
        except (TypeError, KeyError, AttributeError, RecursionError, ModelError) as error:
            raise ValueError(f"not an engine's manifest: {error}") from error


_SIZES = ("smallest", "best", "largest")


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(fields.get("engine_sha256"), str):
        raise TypeError("it has no checksum")
    return fields
