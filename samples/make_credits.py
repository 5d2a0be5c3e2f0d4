"""Makes the credits of weights: every photo and panorama they were trained on, and its rights.

SOURCES.csv has a row for each file, with the columns file (FOLDER/NAME), licence, source, author
and url; the others are ignored.

    python samples/make_credits.py SOURCES.csv gan/tapetum/gan/weights/CREDITS.md normal low hdr
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

INTRODUCTION = """\
# Credits of the weights

`grid` and `unet` were trained on these files and on no others. Thanks to all who made them and gave
them away. Each is listed with its author, where one is known, and its address.
"""


def credits_of(sources: Path, folders: list[str]) -> str:
    """The credits as Markdown: a section for each licence, in it a list for each source.

    Raises:
        KeyError: the table lacks a column.
        ValueError: a folder has no file in the table, or a file no licence.
    """
    with sources.open(newline="", encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["file"].split("/")[0] in folders]
    missing = set(folders) - {row["file"].split("/")[0] for row in rows}
    if missing:
        raise ValueError(f"{sources} names no file in {', '.join(sorted(missing))}")
    by_licence: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if not row["licence"]:
            raise ValueError(f"{sources} names no licence of {row['file']}")
        by_licence[row["licence"]][row["source"]].append(_line(row))
    sections = [
        f"## {licence}, {sum(map(len, of_licence.values()))} files\n\n"
        + "\n".join(
            f"From {source}:\n\n" + "\n".join(sorted(lines)) + "\n"
            for source, lines in sorted(of_licence.items())
        )
        for licence, of_licence in sorted(by_licence.items())
    ]
    return "\n".join([INTRODUCTION, *sections])


def _line(row: dict[str, str]) -> str:
    by = f", by {row['author']}" if row["author"] else ""
    at = f", {row['url']}" if row["url"] else ""
    return f"- `{row['file']}`{by}{at}"


def main(sources: Path, target: Path, folders: list[str]) -> None:
    """Write the credits of the folders' files."""
    target.write_text(credits_of(sources, folders), encoding="utf-8")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("folders", nargs="+")
    main(**vars(parser.parse_args()))
