"""JSON on stdout, whatever libraries print beside it."""

from __future__ import annotations

import json

import pytest

from tapetum.realtime.command.program_output import program_output


def test_what_libraries_print_does_not_come_between(capsys: pytest.CaptureFixture[str]) -> None:
    with program_output(is_wanted=True) as write_json:
        assert write_json is not None
        write_json({"event": "file"})
        print("(raylet) a node died")  # noqa: T201 - as Ray does, when one does
        write_json({"event": "summary", "name": "d\u00e4mmerung"})
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.out.splitlines()]
    assert events == [{"event": "file"}, {"event": "summary", "name": "d\u00e4mmerung"}]
    assert said.err == "(raylet) a node died\n"


def test_nobody_who_reads_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with program_output(is_wanted=False) as write_json:
        assert write_json is None
        print("(raylet) a node died")  # noqa: T201 - as Ray does
    assert capsys.readouterr().out == ""
