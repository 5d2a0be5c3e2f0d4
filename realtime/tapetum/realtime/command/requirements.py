"""What the installed package says that it needs, held against what is installed."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[[^]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|>|<)\s*([\w.]+)")

_Release = tuple[int, ...]

_COMPARE: dict[str, Callable[[_Release, _Release], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
    "~=": lambda have, want: have >= want and have[: len(want) - 1] == want[:-1],
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One package that Tapetum needs.

    Attributes:
        name: the package.
        wanted: version clauses such as ">=18.1,<20"; empty for any.
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
        lines = requires(package) or []
    except PackageNotFoundError:
        return []
    found = (_parse(line) for line in lines)
    return [requirement for requirement in found if requirement.name != package]


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


def _parse(line: str) -> Requirement:
    match = _REQUIREMENT.match(line)
    if match is None:
        raise ValueError(f"no requirement: {line!r}")
    name, wanted, marker = match.groups()
    extra = _EXTRA.search(marker or "")
    return Requirement(name, wanted.strip(), extra.group(1) if extra else None)


def fits(installed: str, wanted: str) -> bool:
    """Whether a version such as "18.1.0" satisfies clauses such as ">=18.1,<20"."""
    have = _release(installed)
    return all(
        _COMPARE[sign](*_same_length(have, _release(bound), sign))
        for sign, bound in _CLAUSE.findall(wanted)
    )


def _release(text: str) -> _Release:
    """The numbers of a version, without what marks pre-releases and local builds."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(number) for number in match.group().split(".")) if match else (0,)


def _same_length(have: _Release, want: _Release, sign: str) -> tuple[_Release, _Release]:
    if sign == "~=":
        return have, want
    length = max(len(have), len(want))
    return have + (0,) * (length - len(have)), want + (0,) * (length - len(want))
