"""What the installed package says that it needs, held against what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement as Line
from packaging.specifiers import SpecifierSet


@dataclass(frozen=True, slots=True)
class Requirement:
    """One package that Tapetum needs on this system.

    Attributes:
        name: the package.
        wanted: version clauses such as "<20,>=18.1"; empty for any.
        extra: the extra that asks for it, or None for the base install.
    """

    name: str
    wanted: str
    extra: str | None

    @property
    def installed(self) -> str | None:
        """The installed version, or None."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    @property
    def met(self) -> bool:
        """Whether a version in the range is installed."""
        return self.installed is not None and fits(self.installed, self.wanted)


def requirements(package: str = "tapetum") -> list[Requirement]:
    """Read the requirements of an installed package; none where it is not installed as one."""
    try:
        lines, extras = requires(package) or [], metadata(package).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
    found = [each for line in lines for each in parsed(line, extras)]
    return [requirement for requirement in found if requirement.name != package]


def parsed(line: str, extras: list[str]) -> Iterator[Requirement]:
    """A line of a package's requirements, once for each that asks for it on this system.

    Args:
        line: like "openvino>=2026.4; sys_platform == 'win32'".
        extras: of the package.
    """
    needed = Line(line)
    wanted = str(needed.specifier)
    if needed.marker is None or needed.marker.evaluate({"extra": ""}):
        yield Requirement(needed.name, wanted, None)
        return
    for extra in extras:
        if needed.marker.evaluate({"extra": extra}):
            yield Requirement(needed.name, wanted, extra)


def one_for_each_package(needed: list[Requirement]) -> list[Requirement]:
    """Each optional package once, under the extra that a person would install for it.

    An extra that takes in another one, as `torch-tensorrt` does `train`, is not named for what
    the other brings; `dev` is for developers.
    """
    packages: dict[str, set[str]] = {}
    for requirement in needed:
        if requirement.extra not in {None, "dev"}:
            packages.setdefault(requirement.extra, set()).add(requirement.name)
    chosen: dict[str, Requirement] = {}
    for requirement in needed:
        own = packages.get(requirement.extra or "")
        if own is None:
            continue
        before = chosen.get(requirement.name)
        if before is None or own < packages[before.extra or ""]:
            chosen[requirement.name] = requirement
    return list(chosen.values())


def fits(installed: str, wanted: str) -> bool:
    """Whether a version such as "18.1.0" satisfies clauses such as ">=18.1,<20"."""
    return SpecifierSet(wanted).contains(installed, prereleases=True)
