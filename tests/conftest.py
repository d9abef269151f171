"""How this suite treats what a machine may lack, and what it says at its end.

A skip names the missing right. A run of the whole suite by root on Linux in which no test reached the real kernel is a
failure: green would then say more than was tested.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import rights

REAL = ("kernel", "real")
"""The property by which a report says that its test ran on a real kernel; once for each test that ran in a machine."""

REAL_COUNT = Path(__file__).with_name("real_count.txt")
"""How many tests of the real kernel a whole run in CI must at least have."""

TOO_FEW = pytest.StashKey[str]()
"""Why the whole suite fails though no test does: as root on Linux too little of it reached the real kernel."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what sets the count anew."""
    said = f"after a whole run that passes, write how many tests reached the real kernel to tests/{REAL_COUNT.name}"
    parser.addoption("--write-real-count", action="store_true", help=said)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on the real kernel: a test below tests/real, marked so, or a case of the real one.

    The machine's test is the longest by far: it begins first, so that with many workers nobody waits for it at the end.
    """
    items.sort(key=lambda item: "machine" not in item.path.parts)
    for item in items:
        if _is_real(item):
            item.add_marker("real")
            item.user_properties.append(REAL)


def _is_real(item: pytest.Item) -> bool:
    tests = rights.ROOT / "tests"
    below, both = tests / "real" in item.path.parents, tests / "conformance" in item.path.parents
    params = item.callspec.params if hasattr(item, "callspec") else {}
    chosen = any((both or "kernel" in name) and str(value) in {"real", "both"} for name, value in params.items())
    return below or chosen or item.get_closest_marker("real") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what this machine lacks; in CI fail it."""
    for mark in item.iter_markers("needs"):
        rights.require(*mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """In CI a test of the real kernel, of the browser or of Pyodide that skips in another way fails as well."""
    report = yield
    kinds = [kind for kind in ("real", "browser", "pyodide") if item.get_closest_marker(kind)]
    if rights.CI and report.skipped and kinds and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"MINIDOCKER_CI=1, but this {kinds[0]} test skipped: {report.longrepr}"
    return report


def _reports(terminalreporter) -> list[pytest.TestReport]:
    kinds = ("passed", "failed", "skipped", "xfailed")
    reports = [report for kind in kinds for report in terminalreporter.getreports(kind)]
    return [report for report in reports if isinstance(report, pytest.TestReport)]


def _ran_real(terminalreporter) -> int:
    """How many tests of the real kernel ran (their call, not a skip in set-up)."""
    done = [report for report in _reports(terminalreporter) if report.when == "call" and not report.skipped]
    return sum(list(map(tuple, report.user_properties)).count(REAL) for report in done)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Say how much of the run was on the real kernel, and which right each skip wanted."""
    terminalreporter.write_line(f"real kernel: {_ran_real(terminalreporter)} tests ran on this machine's kernel")
    reasons = [report.longrepr[2] for report in _reports(terminalreporter) if report.skipped and _has_reason(report)]
    wanted = Counter(reason.partition("needs ")[2].partition(":")[0] or "another reason" for reason in reasons)
    if too_few := config.stash.get(TOO_FEW, default=""):
        terminalreporter.write_line(f"ERROR: {too_few}", red=True)
    for right, count in sorted(wanted.items()):
        terminalreporter.write_line(f"skipped for want of {right}: {count}")


def _has_reason(report: pytest.TestReport) -> bool:
    return isinstance(report.longrepr, tuple)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run by root on Linux in which nothing reached the real kernel; in CI also one in which less did."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    worker = hasattr(config, "workerinput")
    if worker or reporter is None or exitstatus != 0 or not _is_whole(config) or rights.missing("root"):
        return
    ran, least = _ran_real(reporter), int(REAL_COUNT.read_text()) if REAL_COUNT.exists() else 0
    if config.option.write_real_count:
        REAL_COUNT.write_text(f"{ran}\n")
    elif ran == 0:
        config.stash[TOO_FEW] = "this is root on Linux, and no test ran on the real kernel"
    elif rights.CI and ran < least:
        config.stash[TOO_FEW] = f"{ran} tests ran on the real kernel; tests/{REAL_COUNT.name} asks for {least}"
    if TOO_FEW in config.stash:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    """Whether the run was narrowed neither by paths nor by -k, -m or --lf."""
    narrowed = config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False)
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not narrowed and not config.option.collectonly


if sys.platform != "emscripten":
    # A test that starts Python must start this one's packages, not those of a folder that the shell names.
    os.environ.pop("PYTHONPATH", None)
