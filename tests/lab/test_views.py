"""The views that are drawings: what they show of a run, as values, SVG and figures."""

import xml.etree.ElementTree as ET

import pytest
from lab.isolation_trace import DB, WEB, isolation_trace
from lab.sample_trace import cow_trace

from minidocker.lab.stepper import cgroup_figure, to_figure, to_svg
from minidocker.lab.stepper.cgroups_view import binary, setting_words
from minidocker.lab.stepper.drawing_style import TINTS, classes, css, style_of
from minidocker.lab.stepper.svg import DARK, LIGHT
from minidocker.lab.stepper.views import VIEWS, default_view, drawing_of, has_view, telling
from minidocker.trace import Trace

RUN = isolation_trace()


def step(text):
    return next(step.index for step in RUN.steps if text in step.text)


def texts(drawing):
    return [item["text"] for item in drawing["items"] if item["shape"] == "text"]


def lines(drawing):
    return [line["text"] for line in drawing["lines"]]


def test_the_same_task_has_a_number_in_each_pid_namespace():
    drawing = drawing_of(RUN, "namespaces", step("clone(len, SIGCHLD)"))
    assert "number 15 in pid:1, 2 in pid:2, 1 in pid:4" in lines(drawing)
    own = [item["key"] for item in drawing["items"] if item["kind"] == "number own now"]
    assert own == ["pidbox 0.1.1 pid:4"]


def test_a_bar_goes_over_the_tasks_that_share_a_namespace():
    drawing = drawing_of(RUN, "namespaces", step("clone(len, SIGCHLD)"))
    bars = {item["key"]: item["h"] for item in drawing["items"] if item["kind"].startswith("lane")}
    assert bars["lane net:2 0.1"] == bars["lane pid:2 0.1"] + 42
    assert bars["lane user:1 0"] > bars["lane net:2 0.1"]
    assert "4f1c9d0a…" in texts(drawing)


def test_a_namespace_without_tasks_is_told_of():
    drawing = drawing_of(RUN, "namespaces", step("unshare("))
    assert lines(drawing)[-1].startswith("no task is in pid:4")


def test_a_time_namespace_says_how_far_its_clocks_are_ahead():
    drawing = drawing_of(RUN, "namespaces", len(RUN) - 1)
    assert "time:2" in texts(drawing)
    assert "+1000 s" in texts(drawing)
    assert "its children are born in time:2" in lines(drawing)


def test_what_was_written_and_by_which_flag():
    drawing = drawing_of(RUN, "cgroups", step("db is running"))
    assert "memory.max 67108864 (64 MiB)" in texts(drawing)
    assert {"← -m", "← --pids-limit", "← --cpu-shares"} <= set(texts(drawing))
    assert [text for text in texts(drawing) if text.startswith("cpu share")] == [
        "cpu share 33 % if all want",
        "cpu share 66 % if all want",
    ]


def test_a_kill_and_a_freeze_are_marked_in_words():
    frozen = drawing_of(RUN, "cgroups", step("web is paused"))
    assert "frozen" in texts(frozen)
    killed = drawing_of(RUN, "cgroups", step("oom_kill("))
    assert "OOM kills: 1" in texts(killed)
    assert "memory 60 MiB of 64 MiB" in texts(killed)
    assert any(line["now"] and "OOM kills" in line["text"] for line in killed["lines"])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cpu.max", "50000 100000", "50000 100000 (0.50 CPU)"),
        ("cpu.max", "max 100000", "max 100000 (no limit)"),
        ("memory.max", "max", "max"),
        ("memory.limit_in_bytes", "1610612736", "1610612736 (1.5 GiB)"),
        ("pids.max", "20", "20"),
    ],
)
def test_settings_in_words(name, value, words):
    assert setting_words(name, value) == words


def test_bytes_in_binary_units():
    assert [binary(n) for n in (0, 1023, 1024, 1536, 67108864, 3 << 30)] == [
        "0 B", "1023 B", "1 KiB", "1.5 KiB", "64 MiB", "3 GiB",
    ]  # fmt: skip


def test_links_cables_and_the_frame_on_its_way():
    drawing = drawing_of(RUN, "network", step("frame veth4f1c → vethb281"))
    kinds = [item["kind"] for item in drawing["items"]]
    assert kinds.count("cable up") == 2
    assert {"way", "frame", "flap"} <= set(kinds)
    way = next(item for item in drawing["items"] if item["key"] == "way")
    bridge = next(item for item in drawing["items"] if item["key"] == "link net:1 docker0")
    assert bridge["y"] + 24 < way["points"][1][1] < bridge["y"] + bridge["h"]  # through the bridge, below its name
    assert lines(drawing)[0].startswith("frame veth4f1c → vethb281 · ARP, Request")
    assert "net:2 · web" in texts(drawing)


def test_zoomed_out_the_frames_of_a_call_are_listed():
    drawing = drawing_of(RUN, "network", step("sendto("), zoom=2)
    assert [line["now"] for line in drawing["lines"][:5]] == [False] * 4 + [True]


def test_states_are_lit_and_the_way_there_is_marked():
    drawing = drawing_of(RUN, "states", step("web is paused"))
    kinds = {item["key"]: item["kind"] for item in drawing["items"]}
    assert kinds["state paused"] == "state paused lit now"
    assert kinds["state running"] == "state running lit"
    assert kinds["arrow running paused"] == "arrow now"
    assert "running: db" in lines(drawing)
    exited = drawing_of(RUN, "states", len(RUN) - 1)
    assert "web (137, OOM)" in texts(exited)
    assert texts(exited)[-1].startswith("web: running → exited · web is exited · ended by SIGKILL of the OOM killer")


def test_without_layers_another_view_is_shown():
    assert default_view(cow_trace()) == "layers"
    assert default_view(RUN) == "namespaces"
    assert default_view(Trace(command="x", steps=(), kernel={})) == "layers"
    assert "d-lane" in to_svg(RUN)
    assert "No layers are mounted" in to_svg(RUN, view="layers")


def test_only_what_there_is_has_a_view():
    assert {view: has_view(cow_trace(), view) for view in VIEWS} == {
        "namespaces": True, "cgroups": False, "network": False, "states": True,
    }  # fmt: skip
    empty = Trace(command="x", steps=(), kernel={})
    assert not any(has_view(empty, view) for view in VIEWS)
    assert all(drawing_of(empty, view, -1)["items"] for view in VIEWS)
    assert all(0 <= telling(RUN, view) < len(RUN) for view in VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_text_stays_within_the_drawing_and_keys_are_unique(view):
    for index in range(-1, len(RUN), 3):
        drawing = drawing_of(RUN, view, index)
        keys = [item["key"] for item in drawing["items"]]
        assert len(keys) == len(set(keys))
        for item in drawing["items"]:
            if item["shape"] == "text":
                wide = len(item["text"]) * 7.3
                left = item["x"] - {"start": 0, "middle": wide / 2, "end": wide}[item["at"]]
                assert left >= -1, item
                assert left + wide <= drawing["width"] + 8, item
            if item["shape"] == "box":
                assert 0 <= item["x"] <= item["x"] + item["w"] <= drawing["width"], item
                assert item["y"] + item["h"] <= drawing["height"], item


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_a_picture_is_valid_svg_and_tells_itself_in_words(view, theme):
    root = ET.fromstring(to_svg(RUN, view=view, theme=theme))
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text.startswith(RUN.command)
    assert root.find(f"{space}desc").text.strip()
    assert WEB not in root.find(f"{space}desc").text
    assert DB not in root.find(f"{space}desc").text


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_a_figure_has_all_texts_of_the_drawing(view):
    pytest.importorskip("matplotlib", reason="needs matplotlib: it is not installed")
    figure = to_figure(RUN, 60, view=view)
    said = {text.get_text() for text in figure.axes[0].texts}
    assert {text.replace("$", r"\$") for text in texts(drawing_of(RUN, view, 60))} <= said


@pytest.mark.slow
def test_meters_over_the_steps():
    pytest.importorskip("matplotlib", reason="needs matplotlib: it is not installed")
    figure = cgroup_figure(RUN)
    memory, tasks = figure.axes
    assert list(memory.lines[0].get_ydata()) == [1294336, 62914560]
    assert memory.lines[1].get_ydata()[0] == 67108864
    assert tasks.get_ylabel() == "tasks"
    assert len(cgroup_figure(RUN, RUN).axes[0].lines[0].get_xdata()) == 4
    with pytest.raises(ValueError, match="no counter"):
        cgroup_figure(cow_trace())


def test_no_kind_is_told_by_its_colour_alone():
    for one, other in (("cable up", "cable down"), ("link up", "link down"), ("state", "state dead")):
        shape = "line" if one.startswith("cable") else "box"
        assert style_of(shape, one).get("dash") != style_of(shape, other).get("dash")


def test_the_style_sheet_knows_every_colour_of_both_themes():
    names = {name for part in css().split("var(--")[1:] for name in [part.partition(")")[0]]}
    assert names <= set(LIGHT) & set(DARK)
    assert set(TINTS) <= names
    assert classes("box", "lane tint0") == "d-box d-lane d-tint0"
