import dataclasses
from xml.etree import ElementTree as ET

import pytest
from lab.sample_trace import big_trace, cow_trace, file

from minidocker.lab.stepper.svg import MOST_COLUMNS, to_svg
from minidocker.state import Change, empty_state

NS = "{http://www.w3.org/2000/svg}"
COW = cow_trace()


def texts(svg):
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{NS}text")]


def classes(svg):
    return [node.get("class", "") for node in ET.fromstring(svg).iter(f"{NS}g")]


@pytest.mark.parametrize("index", range(-1, len(COW)))
def test_every_step_is_well_formed_and_has_words_inside_its_frame(index):
    root = ET.fromstring(to_svg(COW, index))
    assert root.get("role") == "img"
    assert root.find(f"{NS}title").text
    width, height = int(root.get("width")), int(root.get("height"))
    assert all(0 <= float(node.get("x")) <= width for node in root.iter(f"{NS}text"))
    assert all(0 <= float(node.get("y")) <= height for node in root.iter(f"{NS}text"))


def test_marks_differ_in_word_and_shape_not_only_in_colour():
    svg = to_svg(COW, 13)
    assert {"copied up", "whiteout", "opaque", "✕ hidden"} <= set(texts(svg))
    assert len({kind for kind in classes(svg) if "whiteout" in kind or "opaque" in kind}) == 3


def test_the_step_and_the_bytes_are_told():
    said = " ".join(texts(to_svg(COW, 10)))
    assert 'write(3, "more\\n", 5) = 5' in said
    assert "10 B in the writable layer" in said
    assert "64 kB hidden but kept" in said


def test_text_from_the_trace_cannot_break_the_document():
    step = dataclasses.replace(
        COW.steps[9], text='open("</svg>&\x00\udc80")', changes=(Change(("uppers", "web", "/<b>"), None, file(1)),)
    )
    svg = to_svg(dataclasses.replace(COW, steps=(*COW.steps[:9], step)))
    svg.encode()
    assert any("</svg>" in text for text in texts(svg))


def test_a_large_trace_says_how_many_columns_it_left_out():
    trace = big_trace(20, 4, 40)
    heads = [kind for kind in classes(to_svg(trace)) if kind.startswith("head")]
    assert len(heads) == MOST_COLUMNS
    assert any("more columns" in text for text in texts(to_svg(trace)))


def test_themes():
    assert "prefers-color-scheme" in to_svg(COW)
    assert "prefers-color-scheme" not in to_svg(COW, theme="dark")
    assert "#11161d" in to_svg(COW, theme="dark")


def test_a_trace_without_layers_says_so():
    assert any("No layers" in text for text in texts(to_svg(dataclasses.replace(COW, steps=(), initial=empty_state()))))


@pytest.mark.slow
def test_the_figure_shows_the_same_words(tmp_path):
    pytest.importorskip("matplotlib")
    from minidocker.lab.stepper.figure import to_figure

    figure = to_figure(COW, 13)
    drawn = {text.get_text() for text in figure.axes[0].texts}
    assert {"↑ copied up", "× whiteout", "◆ opaque"} <= drawn
    figure.savefig(tmp_path / "picture.png", dpi=50)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
