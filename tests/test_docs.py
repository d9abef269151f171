"""The documents: every relative link leads somewhere, and every example does what the page says it does.

A block ```` ```python ```` is run on the simulated kernel, from the top of the page down; with ``>>>`` its output is
compared (doctest). In a block ```` ```console ```` each line ``$ …`` is a shell's, and what follows is its output, in
which ``...`` stands for anything. What a block needs of the machine stands behind that word: ```` ```console root ````.
"""

import doctest
import os
import re
import subprocess
import sys

import pytest
import rights
from rights import ROOT

SKIPPED = {"node_modules", ".venv", ".git"}
PAGES = sorted(page for page in ROOT.rglob("*.md") if not SKIPPED & set(page.relative_to(ROOT).parts))
BLOCK = re.compile(r"^```(python|console)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENVIRON = os.environ | {"PYTHONPATH": os.fspath(ROOT), "PYTHONIOENCODING": "utf-8"}
SHELL = f"""python() {{ '{sys.executable}' "$@"; }}
minidocker() {{ python -m minidocker.cli "$@"; }}"""
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def links(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [target for target in LINK.findall(text) if "://" not in target and not target.startswith("mailto:")]


def blocks(page, kind):
    """The blocks of a kind: what each needs of the machine, its text, and its line in the page."""
    text = page.read_text(encoding="utf-8")
    found = [match for match in BLOCK.finditer(text) if match[1] == kind]
    return [(match[2].split(), match[3], text[: match.start()].count("\n") + 1) for match in found]


def examples(kind):
    """The pages that have blocks of a kind, once for each set of rights that such blocks need."""
    return pytest.mark.parametrize(
        ("page", "needs"),
        [
            pytest.param(page, needs, id=" ".join([str(page.relative_to(ROOT)), *needs]))
            for page in PAGES
            for needs in sorted({tuple(block[0]) for block in blocks(page, kind)})
        ],
    )


def wrong_python(page, names):
    """Run a page's Python; give what does not come out as the page says."""
    said = []
    runner, parser = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), doctest.DocTestParser()
    for _, text, line in blocks(page, "python"):
        if not text.startswith(">>>"):
            exec(compile("\n" * line + text, page, "exec"), names)
            continue
        test = parser.get_doctest(text, names, page.name, str(page), line)
        runner.run(test, out=said.append, clear_globs=False)
        names.update(test.globs)
    return "".join(said)


def wrong_console(page, folder, wanted=()):
    """Run those shell commands of a page that need the wanted rights; give what does not come out as the page says."""
    said = []
    for needs, text, line in blocks(page, "console"):
        if tuple(needs) != tuple(wanted):
            continue
        for example in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, want = example.partition("\n")
            shell = f"{SHELL}\n{command}"
            done = subprocess.run(
                ["sh", "-c", shell],
                cwd=folder,
                env=ENVIRON,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            got = done.stdout.decode()
            if not doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS):
                said.append(f"{page.name}:{line}: $ {command}\nexpected:\n{want}got:\n{got}")
    return "".join(said)


@pytest.mark.slow
@examples("python")
def test_the_python_of_a_page_does_what_the_page_says(page, needs, tmp_path, monkeypatch):
    rights.require(*needs)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIDOCKER_KERNEL", "sim")
    assert wrong_python(page, {"__name__": "page"}) == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs sh: this is Windows")
@examples("console")
def test_the_commands_of_a_page_do_what_the_page_says(page, needs, tmp_path):
    rights.require(*needs)
    assert wrong_console(page, tmp_path, needs) == ""


def test_an_example_that_is_not_true_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n\n```console\n$ echo a\nb\n```\n")
    assert "Expected:\n    3\nGot:\n    2" in wrong_python(page, {})
    assert "expected:\nb\ngot:\na" in wrong_console(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page):
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[here](page.md) [web](https://example.org) `[no](link)` ![picture](gone.png)")
    assert [target for target in links(page) if not (tmp_path / target).exists()] == ["gone.png"]


def test_the_readmes_set_up_commands_can_be_run():
    block = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    commands = [line.split()[0] for line in block.splitlines()]
    assert commands == ["scripts/lab", "scripts/test"]
    for command in commands:
        assert (ROOT / command).stat().st_mode & 0o111


def test_nothing_in_the_tree_is_a_stray_big_file():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    sizes = {name: (ROOT / name).stat().st_size for name in names.split("\0") if name and (ROOT / name).is_file()}
    assert {name: size for name, size in sizes.items() if size > 2_000_000} == {}
