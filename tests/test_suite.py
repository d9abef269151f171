"""The suite's own rules: a skip names the right, CI allows none, and root on Linux must reach the real kernel."""

import shutil

import pytest
from rights import ROOT

pytest_plugins = ["pytester"]

MARKERS = ("needs", "real", "browser", "pyodide")


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite elsewhere with this one's conftest, on a machine that lacks the moon and whose user is root."""
    monkeypatch.delenv("MINIDOCKER_CI", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # half a second each
    pytester.mkdir("tests")
    shutil.copy(ROOT / "tests/rights.py", pytester.path / "rights.py")
    rules = (ROOT / "tests/conftest.py").read_text()
    pytester.makeconftest(rules + 'rights.PROBES |= {"moon": lambda: "it is cloudy", "root": lambda: None}\n')
    markers = "\n    ".join(f"{name}: as in pyproject.toml" for name in MARKERS)
    pytester.makeini(f"[pytest]\ntestpaths = tests\npythonpath = .\nmarkers =\n    {markers}\n")

    def run(source, *arguments):
        (pytester.path / "tests/test_it.py").write_text("import pytest\n" + source)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run


LACKING = '@pytest.mark.needs("moon")\ndef test_it(): assert False\n'
REAL = '@pytest.mark.parametrize("kernel", ["sim", "real"])\ndef test_kernel(kernel): pass\n'
SKIPPING = '@pytest.mark.{}\ndef test_skips(): pytest.skip("not today")\n'

TWO = ("-p", "xdist.plugin", "-n", "2")

pytestmark = pytest.mark.slow


def test_a_skip_names_the_right(suite):
    result = suite(LACKING + REAL)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["skipped for want of moon: 1"])
    result.assert_outcomes(passed=2, skipped=1)


def test_ci_allows_no_missing_right(suite, monkeypatch):
    monkeypatch.setenv("MINIDOCKER_CI", "1")
    result = suite(LACKING + REAL)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*MINIDOCKER_CI=1, but the test needs moon: it is cloudy*"])


@pytest.mark.parametrize("kind", ["real", "browser", "pyodide"])
def test_ci_allows_no_other_skip_of_such_a_test(suite, monkeypatch, kind):
    source = REAL + SKIPPING.format(kind)
    assert suite(source).ret == 0
    monkeypatch.setenv("MINIDOCKER_CI", "1")
    assert suite(source).ret == 1


def test_the_run_says_how_many_tests_reached_the_real_kernel(suite):
    suite(REAL).stdout.fnmatch_lines(["real kernel: 1 tests ran on this machine's kernel"])
    suite(REAL, *TWO).stdout.fnmatch_lines(["real kernel: 1 tests ran on this machine's kernel"])


@pytest.mark.parametrize("arguments", [(), TWO])
def test_a_whole_run_of_root_without_the_real_kernel_fails(suite, arguments):
    result = suite("def test_it(): pass\n", *arguments)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: this is root on Linux, and no test ran on the real kernel"])


@pytest.mark.parametrize("arguments", [("tests/test_it.py",), ("-k", "it")])
def test_a_narrowed_run_need_not_reach_the_real_kernel(suite, arguments):
    assert suite("def test_it(): pass\n", *arguments).ret == 0


@pytest.mark.parametrize(("asked", "code"), [(1, 0), (2, 1)])
def test_ci_fails_with_fewer_tests_of_the_real_kernel_than_there_were(suite, pytester, monkeypatch, asked, code):
    (pytester.path / "real_count.txt").write_text(f"{asked}\n")
    assert suite(REAL).ret == 0
    monkeypatch.setenv("MINIDOCKER_CI", "1")
    result = suite(REAL, *TWO)
    assert result.ret == code
    if code:
        result.stdout.fnmatch_lines(["ERROR: 1 tests ran on the real kernel; tests/real_count.txt asks for 2"])


def test_the_count_is_written_when_asked_for(suite, pytester):
    assert suite(REAL, "--write-real-count").ret == 0
    assert (pytester.path / "real_count.txt").read_text() == "1\n"


def test_cases_that_ran_in_a_machine_count_each(suite):
    result = suite('def test_it(request): request.node.user_properties += [("kernel", "real")] * 3\n', *TWO)
    result.stdout.fnmatch_lines(["real kernel: 3 tests ran on this machine's kernel"])


def test_a_test_that_skips_on_the_real_kernel_did_not_reach_it(suite):
    assert suite('@pytest.mark.real\ndef test_it(): pytest.skip("")\n').ret == 1
