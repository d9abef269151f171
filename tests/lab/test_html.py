import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from lab.sample_trace import cow_trace

from minidocker.lab.stepper import to_html
from minidocker.trace import Trace

COW = cow_trace()


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.links = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


def test_one_file_that_loads_nothing():
    page = Page(to_html(COW))
    assert page.links == []
    assert "default-src 'none'" in to_html(COW)
    assert "@import" not in to_html(COW)


def test_the_page_holds_the_trace():
    values = json.loads(Page(to_html(COW, index=3)).scripts[0])
    assert values["index"] == 3
    assert Trace.from_json(values["trace"]) == Trace.from_json(json.loads(json.dumps(COW.to_json())))


def test_a_trace_cannot_end_its_script():
    evil = dataclasses.replace(COW, command="docker run x </script><!-- <b>&", stdout="</script><script>alert(1)")
    text = to_html(evil)
    page = Page(text)
    assert page.tags.count("script") == 2
    assert json.loads(page.scripts[0])["trace"]["stdout"] == evil.stdout
    assert "<title>docker run x &lt;/script&gt;" in text


def test_the_script_is_one_module_without_imports():
    module = Page(to_html(COW)).scripts[1:]
    assert not re.search(r"^\s*import\b", "".join(module), re.MULTILINE)


@pytest.mark.slow
def test_neither_the_page_nor_the_picture_imports_what_is_heavy():
    code = "import sys; from minidocker.lab.stepper import to_html, to_svg; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "minidocker.lab.stepper.svg" in loaded
    assert {"anywidget", "matplotlib", "IPython"}.isdisjoint(loaded)


class TestWidget:
    @pytest.fixture(autouse=True)
    def _needs_anywidget(self):
        pytest.importorskip("anywidget")

    def test_a_locked_widget_sends_nothing_of_the_trace(self):
        from minidocker.lab.stepper import Stepper

        stepper = Stepper(COW, locked=True, comparison={"equal": True})
        sent = {name: value for name, value in stepper.get_state().items() if not name.startswith("_")}
        assert sent["trace"] == {}
        assert sent["comparison"] is None
        assert "keep" not in json.dumps(sent, default=str)
        assert "keep" not in str(stepper._repr_mimebundle_())
        stepper.unlock()
        assert stepper.get_state()["trace"]["command"] == COW.command
        assert not stepper.locked

    def test_a_reader_without_widgets_gets_a_picture_without_scripts(self):
        from minidocker.lab.stepper import Stepper

        data, _ = Stepper(COW)._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["text/html"].startswith("<details")
        assert 'src="data:image/svg+xml;base64,' in data["text/html"]
        assert "<script" not in data["text/html"]
