"""A second try for slow tests, and what the first one said; a plug-in of pytest.

They run browsers, networks and other programs in real time, two beside one another, on machines
that do other work too. A fault that shows in one run of many must still be read by somebody.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have pytest-rerunfailures try what is slow once more."""
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print in full what failed at its first try."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first try of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
