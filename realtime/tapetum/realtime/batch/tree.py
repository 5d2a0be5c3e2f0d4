"""Which files a job of many takes, and where their outputs go: the tree is mirrored."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePath

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.containers import CONTAINERS
from tapetum.realtime.media.media_input import input_place
from tapetum.realtime.photos.formats import FORMATS, is_photo_name

# fmt: off
VIDEO_SUFFIXES = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264",
        ".h265", ".hevc", ".insv", ".ivf", ".lrv", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg",
        ".mjpg", ".mkv", ".mod", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut",
        ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    }
)
# fmt: on
"""What names a video in a folder; a file that is named by itself may have any."""
PHOTO_SUFFIXES = frozenset(suffix for photo in FORMATS for suffix in photo.suffixes)

_LOSSY_PHOTOS = frozenset({".heic", ".heif", ".hif"})
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the files in folders are taken.

    Attributes:
        include: patterns such as "*.mp4" or "2024/*"; a file must match one, if there are any. A
            pattern without a slash is held against the name, one with a slash against the path in
            the folder.
        exclude: patterns likewise; a file that matches one is left.
        newer_than_s: seconds since 1970; files that were changed before are left. None takes all.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    newer_than_s: float | None = None

    def takes(self, relative: PurePath, modified_s: float) -> bool:
        """Whether a file is taken.

        Args:
            relative: its path in the folder that was given.
            modified_s: when it was last changed, in seconds since 1970.
        """
        if self.newer_than_s is not None and modified_s < self.newer_than_s:
            return False
        if self.include and not _matches(relative, self.include):
            return False
        return not _matches(relative, self.exclude)


@dataclass(frozen=True, slots=True)
class Naming:
    """How outputs are named.

    Attributes:
        suffix: goes behind the name and before the extension: "_bright".
        extensions: "mkv", "png": in place of the input's own, for videos and for photos. Where none
            is given, an input keeps its own if that can be written; else a video becomes .mkv, and
            a photo .png, or .jpg from HEIC.

    Raises:
        MediaError: an extension cannot be written, or two are for the same kind of file.
    """

    suffix: str = ""
    extensions: Sequence[str] = ()

    def __post_init__(self) -> None:
        if "/" in self.suffix or "\0" in self.suffix:
            raise MediaError(f"suffix {self.suffix!r} cannot be a part of a file name")
        kinds = [_is_video_output(_dotted(extension)) for extension in self.extensions]
        if len(set(kinds)) != len(kinds):
            raise MediaError("give at most one extension for videos and one for photos")

    def output_name(self, name: str) -> str:
        """The name of an output, by that of its input."""
        path = PurePath(name)
        return f"{path.stem}{self.suffix}{self._extension(path.suffix)}"

    def _extension(self, own: str) -> str:
        is_photo = own.lower() in PHOTO_SUFFIXES
        for extension in map(_dotted, self.extensions):
            if _is_video_output(extension) != is_photo:
                return extension
        if is_photo:
            written = is_photo_name(f"a{own}")
            return own if written else ".jpg" if own.lower() in _LOSSY_PHOTOS else ".png"
        return own if own.lower() in CONTAINERS else ".mkv"


@dataclass(frozen=True, slots=True, init=False)
class Task:
    """One file to enhance.

    Its names are kept as text: there may be a million of them, and a `Path` takes three times that.
    """

    _source: str
    _output: str

    def __init__(self, source: Path, output: Path) -> None:
        object.__setattr__(self, "_source", str(source))
        object.__setattr__(self, "_output", str(output))

    @property
    def source(self) -> Path:
        """The input."""
        return Path(self._source)

    @property
    def output(self) -> Path:
        """What becomes of it."""
        return Path(self._output)


@dataclass(slots=True)
class Plan:
    """What a job is to do.

    Attributes:
        tasks: files to enhance, in order.
        others: files that are neither videos nor photos, with where a copy would go.
        refused: inputs that cannot be done, with the reason.
    """

    tasks: list[Task] = field(default_factory=list)
    others: list[Task] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def make_plan(
    inputs: Iterable[str | Path],
    output: Path,
    *,
    selection: Selection = Selection(),
    naming: Naming = Naming(),
    may_be_none: bool = False,
) -> Plan:
    """Look for the files of a job.

    Args:
        inputs: folders, files, and patterns such as "night/**/*.mp4". One folder alone is mirrored
            into `output`; of several, each goes into a folder of its name there.
        output: the folder for the outputs; it need not exist.
        selection: which files of folders and patterns are taken; one that is named is.
        naming: of the outputs.
        may_be_none: whether a pattern may match no file yet.

    Raises:
        MediaError: an input is, or holds, the output folder, or the reverse; or it is an address or
            a series of pictures; or no file matches.
    """
    places = [place for given in inputs for place in _expanded(given, may_be_none=may_be_none)]
    plan = Plan()
    found = _Found(plan, naming)
    for place, is_named in places:
        if not place.is_dir():
            if is_named or selection.takes(PurePath(place.name), _modified_s(place)):
                found.add(place, output / naming.output_name(place.name), is_named=is_named)
            continue
        if not is_named and place.resolve() == output.resolve():  # as '*' does
            continue
        _check_apart(place, output)
        target = output if len(places) == 1 else output / place.resolve().name
        for path, relative in walk(place):
            if selection.takes(relative, _modified_s(path)):
                folder = target / relative.parent
                found.add(path, folder / naming.output_name(path.name), is_named=False)
    return plan


class _Found:
    """Sorts files into a plan."""

    def __init__(self, plan: Plan, naming: Naming) -> None:
        self._plan = plan
        self._naming = naming
        self._sources: dict[Path, Path] = {}

    def add(self, source: Path, output: Path, *, is_named: bool) -> None:
        plan, tasks = self._plan, self._plan.tasks
        if not (is_named or source.suffix.lower() in VIDEO_SUFFIXES | PHOTO_SUFFIXES):
            output, tasks = output.with_name(source.name), plan.others
        first = self._sources.get(output)
        if first is not None and first.resolve() == source.resolve():  # patterns may overlap
            return
        if first is not None:
            why = (
                f"its output {output} is that of {first}; give --suffix or --ext, or another folder"
            )
            plan.refused.append((source, why))
        else:
            self._sources[output] = source
            tasks.append(Task(source, output))


def walk(folder: Path) -> Iterator[tuple[Path, PurePath]]:
    """All files below a folder in the order of their names, with their path in it.

    Hidden files and folders are left out. Links are followed, each folder once, so that links in a
    circle end.
    """
    seen = {folder.resolve()}
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        folders[:] = sorted(name for name in folders if _is_new(here / name, seen))
        for name in sorted(names):
            if not name.startswith("."):
                yield here / name, (here / name).relative_to(folder)


def _is_new(folder: Path, seen: set[Path]) -> bool:
    itself = folder.resolve()
    if folder.name.startswith(".") or itself in seen:
        return False
    seen.add(itself)
    return True


def _expanded(given: str | Path, *, may_be_none: bool) -> list[tuple[Path, bool]]:
    """What one input stands for, and whether it is named itself.

    That is the input, or what its pattern names: files, and folders, unless it goes through these
    itself by `**`.
    """
    text = str(given)
    check_is_path(given)
    if os.path.lexists(text) or not _WILD.search(text):
        return [(Path(text), True)]
    matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - patterns may be absolute
    if not matches and not may_be_none:
        raise MediaError(f"no file matches {text}")
    goes_deep = "**" in text
    return [(Path(match), False) for match in matches if not (goes_deep and Path(match).is_dir())]


def check_is_path(given: str | Path) -> None:
    """Refuse what is no name of files, which a path would make something else of.

    Raises:
        MediaError: it is an address or a series of pictures.
    """
    if not os.path.lexists(given) and isinstance(input_place(given), str):
        raise MediaError(
            f"{given} is an address or a series of pictures, of which one is done at a time: into"
            " a file, not a folder, and without --workers or --cluster"
        )


def _check_apart(folder: Path, output: Path) -> None:
    inside, outside = folder.resolve(), output.resolve()
    if inside == outside:
        raise MediaError(f"the output folder {output} is the input folder; choose another one")
    if outside.is_relative_to(inside):
        raise MediaError(
            f"the output folder {output} lies in the input folder {folder}, and its files would be"
            " taken for inputs; choose one beside it"
        )
    if inside.is_relative_to(outside):
        raise MediaError(
            f"the input folder {folder} lies in the output folder {output}; choose one beside it"
        )


def _modified_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link to nothing: it is said when its turn comes
        return float("inf")


def _matches(relative: PurePath, patterns: Iterable[str]) -> bool:
    return any(
        fnmatch(str(relative) if "/" in pattern else relative.name, pattern) for pattern in patterns
    )


def _dotted(extension: str) -> str:
    return f".{extension.lower().lstrip('.')}"


def _is_video_output(extension: str) -> bool:
    """Whether videos can be written with an extension, or photos.

    Raises:
        MediaError: neither.
    """
    if extension in CONTAINERS:
        return True
    if is_photo_name(f"a{extension}"):
        return False
    known = ", ".join(sorted(CONTAINERS))
    raise MediaError(f"{extension} cannot be written; for videos use one of {known}, or a photo's")
