"""What a cubin says of its kernels: registers, shared memory, and how much code they are."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

from support.compiled import made_once

_INSTRUCTION_BYTES = 16
"""Since compute capability 7.0."""
_NO_OPERATION = 0x918


class KernelCost(NamedTuple):
    """A kernel in machine code.

    Attributes:
        registers: of a thread.
        shared_bytes: of a block, as far as they are known when it is compiled.
        instructions: in its code, each once.
        spilt_bytes: registers of a thread that are stored in memory, for want of more.
    """

    registers: int
    shared_bytes: int
    instructions: int
    spilt_bytes: int


def kernel_costs(source: str, options: tuple[str, ...]) -> dict[str, KernelCost]:
    """Compile kernels with NVRTC, once a run, and read what they cost."""

    def write(target: Path) -> None:
        target.write_text(json.dumps(_compiled_costs(source, options)))

    costs = json.loads(made_once("costs.json", (source, *options), write).read_text())
    return {name: KernelCost(*cost) for name, cost in costs.items()}


def _compiled_costs(source: str, options: tuple[str, ...]) -> dict[str, KernelCost]:
    from cupy.cuda import nvrtc

    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*options, "--ptxas-options=-v"))
        log, cubin = nvrtc.getProgramLog(program), nvrtc.getCUBIN(program)
    finally:
        nvrtc.destroyProgram(program)
    entry = r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers([^\n]*)"
    sections = _sections(cubin)
    return {
        name: KernelCost(
            int(registers),
            _shared(rest),
            _instructions(sections[f".text.{name}"]),
            int(spilt),
        )
        for name, spilt, registers, rest in re.findall(entry, log, re.DOTALL)
    }


def _shared(rest: str) -> int:
    found = re.search(r"(\d+) bytes smem", rest)
    return int(found[1]) if found else 0


def _instructions(code: bytes) -> int:
    operations = (
        int.from_bytes(code[place : place + 2], "little") & 0xFFF
        for place in range(0, len(code), _INSTRUCTION_BYTES)
    )
    return sum(operation != _NO_OPERATION for operation in operations)


def _sections(cubin: bytes) -> dict[str, bytes]:
    """The sections of an ELF file of 64 bits, by name."""
    (table,) = struct.unpack_from("<Q", cubin, 40)
    count, names = struct.unpack_from("<HH", cubin, 60)
    headers = [struct.unpack_from("<IIQQQQ", cubin, table + 64 * i) for i in range(count)]
    start = headers[names][4]
    found = {}
    for header in headers:
        place = start + header[0]
        name = cubin[place : cubin.index(b"\0", place)].decode()
        found[name] = cubin[header[4] : header[4] + header[5]]
    return found
