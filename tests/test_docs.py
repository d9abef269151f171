"""The documents: every relative link leads somewhere, and the README's commands are those that exist."""

import re
import subprocess

import pytest
from rights import ROOT

SKIPPED = {"node_modules", ".venv", ".git"}
PAGES = sorted(page for page in ROOT.rglob("*.md") if not SKIPPED & set(page.relative_to(ROOT).parts))
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def links(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [target for target in LINK.findall(text) if "://" not in target and not target.startswith("mailto:")]


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
