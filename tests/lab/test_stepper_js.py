"""The stepper's JavaScript gives the same as the Python, for random stacks and every step of the sample traces."""

import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.isolation_trace import isolation_trace
from lab.sample_trace import KERNEL, big_trace, cow_trace
from lab.stacks import PATHS, layers, stacks

from minidocker.lab.stepper import source
from minidocker.lab.stepper.layout import GEOMETRY, picture
from minidocker.lab.stepper.shapes import ICONS, detail, outline
from minidocker.lab.stepper.views import VIEWS, drawing_of, has_view
from minidocker.provider import hidden_bytes, names_of, provider
from minidocker.state import Change, empty_state
from minidocker.trace import Step, Trace

pytestmark = pytest.mark.needs("node")

# One line in, one line out, so that a thousand questions cost one process.
ASK = """
import * as it from "./stepper.mjs";
import { createInterface } from "node:readline";
const answers = {
  geometry: () => it.GEOMETRY,
  shapes: ({ w, h }) => Object.fromEntries(
    Object.keys(it.ICONS).map((name) => [name, [it.ICONS[name], it.outline(name, w, h), it.detail(name, w, h)]])),
  provider: ({ stack, paths }) => paths.map((path) => it.provider(path, stack)).map((who) => [who.found, who.endedBy]),
  names: ({ stack }) => [...it.namesOf(stack)].sort(),
  hidden: ({ stack }) => new it.HiddenBytes(stack.slice(1)).of(stack[0]),
  sizes: ({ sizes }) => sizes.map(it.sizeText),
  walk: ({ trace, indexes, replay = new it.Replay(trace) }) => indexes.map((index) => replay.go(index)),
  picture: ({ trace, index, zoom, options }) => {
    const last = it.shownUntil(trace, index, zoom);
    const stack = it.stackAt(trace, last);
    const scene = it.makeScene(trace, stack, options);
    if (!scene) return null;
    const state = new it.Replay(trace).go(last);
    const changed = it.changedNames(trace, stack, index, last);
    return it.place(scene, state, changed, it.copiedUntil(scene, last), new it.HiddenBytes(scene.lowers));
  },
  drawings: ({ trace, indexes, zoom }) => {
    const replay = new it.Replay(trace);
    return indexes.map((index) => {
      const last = it.shownUntil(trace, index, zoom);
      const [state, old] = [replay.go(last), replay.go(index < 0 ? last : index - 1)];
      const steps = index < 0 ? [] : trace.steps.slice(index, last + 1);
      return Object.values(it.DRAWN).map((view) => view.draw(trace, state, old, steps));
    });
  },
  views: ({ trace }) => it.viewsOf(trace),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, question] = JSON.parse(line);
  console.log(JSON.stringify(answers[name](question)));
}
"""


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    folder = tmp_path_factory.mktemp("js")
    (folder / "stepper.mjs").write_text(source.script())
    (folder / "ask.mjs").write_text(ASK)
    with subprocess.Popen(
        ["node", "ask.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as node:

        def ask(name, **question):
            node.stdin.write(json.dumps([name, question]) + "\n")
            node.stdin.flush()
            return json.loads(node.stdout.readline())

        yield ask
        node.stdin.close()


def plain(value):
    return json.loads(json.dumps(value))


many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_numbers_and_shapes_are_the_same(js):
    assert js("geometry") == dict(GEOMETRY)
    for height in (42, 24):
        mine = {shape: [path, outline(shape, 102, height), detail(shape, 102, height)] for shape, path in ICONS.items()}
        assert js("shapes", w=102, h=height) == mine


@pytest.mark.slow
@many
@given(stack=stacks)
def test_the_same_layer_serves_each_name(js, stack):
    paths = sorted(names_of(stack) | set(PATHS) | {"/"})
    mine = [[found.found, found.ended_by] for found in (provider(path, stack) for path in paths)]
    assert js("provider", stack=stack, paths=paths) == plain(mine)
    assert js("names", stack=stack) == sorted(names_of(stack), key=lambda name: name.encode("utf-16-be"))


@pytest.mark.slow
@many
@given(stack=stacks)
def test_the_same_bytes_are_hidden(js, stack):
    assert js("hidden", stack=stack) == hidden_bytes(stack)


@pytest.mark.slow
@many
@given(sizes=st.lists(st.integers(0, 10**14)))
def test_sizes_read_the_same(js, sizes):
    from minidocker.lab.stepper.words import size_text

    assert js("sizes", sizes=sizes) == [size_text(size) for size in sizes]


calls = st.sampled_from(["open", "copy_up", "execve"])


@st.composite
def traces(draw):
    lowers = draw(st.lists(layers, max_size=11))
    made = {
        f"sha256:{n}": {
            "name": f"layer {n} of a name too long",
            "created_by": "/bin/sh -c make",
            "bytes": n * 777,
            "entries": entries,
        }
        for n, entries in enumerate(lowers)
    }
    initial = {**empty_state(), "stacks": {"s": {"lowers": list(made), "merged": "/m"}}, "uppers": {"s": draw(layers)}}
    initial["mounts"] = (
        {"mnt:1": {"/m": {"source": "overlay", "fstype": "overlay", "options": ""}}} if draw(st.booleans()) else {}
    )
    steps, upper = [], dict(initial["uppers"]["s"])
    for index, path in enumerate(draw(st.lists(st.sampled_from(PATHS), max_size=6))):
        new = draw(layers).get(path)
        changes = (Change(("uppers", "s", path), upper.pop(path, None), new),)
        upper |= {path: new} if new else {}
        depth = draw(st.integers(0, 3))
        steps.append(
            Step(
                index=index,
                depth=depth,
                actor="sh",
                task="0.1",
                call=draw(calls),
                text=f'open("{path}")',
                changes=changes,
            )
        )
    return Trace(command="x", steps=tuple(steps), kernel=KERNEL, layers=made, initial=initial)


@pytest.mark.slow
@many
@given(
    trace=traces(),
    zoom=st.integers(0, 3),
    query=st.sampled_from(["", "", "A", "e/"]),
    fold=st.booleans(),
    data=st.data(),
)
def test_the_picture_of_random_traces_is_the_same(js, trace, zoom, query, fold, data):
    index = data.draw(st.integers(-1, len(trace) - 1))
    options = {"query": query, "fold": fold, "opened": data.draw(st.sampled_from([[], ["/d"], ["/", "/d", "/d/e"]]))}
    assert js("picture", trace=trace.to_json(), index=index, zoom=zoom, options=options) == plain(
        picture(trace, index, zoom=zoom, **options)
    )


@pytest.mark.parametrize("zoom", range(4))
def test_the_picture_of_the_sample_run_is_the_same(js, zoom):
    trace = cow_trace()
    for index in range(-1, len(trace)):
        assert js("picture", trace=trace.to_json(), index=index, zoom=zoom, options={}) == plain(
            picture(trace, index, zoom=zoom)
        )


@pytest.mark.slow
def test_the_picture_of_a_large_trace_is_the_same(js):
    trace = big_trace(150, 30, 300)
    for index in (0, 70, 149):
        assert js("picture", trace=trace.to_json(), index=index, zoom=3, options={}) == plain(picture(trace, index))


@pytest.mark.slow
@many
@given(indexes=st.lists(st.integers(-1, 19), max_size=30))
def test_any_walk_through_the_steps_gives_the_states_of_the_trace(js, indexes):
    trace = cow_trace()
    assert js("walk", trace=trace.to_json(), indexes=indexes) == plain([trace.at(index) for index in indexes])


def test_a_long_walk_back_and_forth(js):
    trace = big_trace(400, 3, 40)
    indexes = [399, 0, 398, 200, 63, 64, 65, 127, 128, -1, 399]
    assert js("walk", trace=trace.to_json(), indexes=indexes) == plain([trace.at(index) for index in indexes])


def compare_drawings(js, trace, indexes, zoom=3):
    theirs = js("drawings", trace=trace.to_json(), indexes=indexes, zoom=zoom)
    for index, drawn in zip(indexes, theirs, strict=True):
        for view, drawing in zip(VIEWS, drawn, strict=True):
            assert drawing == plain(drawing_of(trace, view, index, zoom=zoom)), (view, index)


@pytest.mark.parametrize("zoom", range(4))
def test_the_drawings_of_a_run_are_the_same_at_every_step(js, zoom):
    trace = isolation_trace()
    compare_drawings(js, trace, list(range(-1, len(trace), 1 if zoom == 3 else 9)), zoom)


def test_the_drawings_of_a_trace_without_any_of_it_are_the_same(js):
    compare_drawings(js, cow_trace(), [-1, 0, 5, 12, 19])


def test_views_without_anything_to_show_have_no_tab(js):
    trace = isolation_trace()
    assert all(has_view(trace, view) for view in VIEWS)
    assert js("views", trace=trace.to_json()) == [
        "namespaces", "mounts", "cgroups", "network", "states", "tasks", "containers", "output",
    ]  # fmt: skip
    assert js("views", trace=cow_trace().to_json()) == ["layers", "mounts", "states", "tasks", "containers", "output"]
