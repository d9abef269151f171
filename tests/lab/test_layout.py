import dataclasses

import pytest
from lab.sample_trace import KERNEL, big_trace, cow_trace, directory, file, layer, whiteout

from minidocker.lab.stepper.layout import GEOMETRY, last_mounted, picture, shown_until
from minidocker.lab.stepper.scene import make_scene, stack_at, upper_names
from minidocker.lab.stepper.words import cut, cut_start, made_by, mode_text, size_text
from minidocker.state import Change, empty_state
from minidocker.trace import DOCKER, ENGINE, INSIDE, SYSCALL, Step, Trace

COW = cow_trace()
COPY_UP, WRITE, WHITEOUT = 9, 10, 13


def head(shown, path):
    (column,) = [number for number, each in enumerate(shown["columns"]) if each["path"] == path and not each["group"]]
    return shown["heads"][column]


def cells(shown, path):
    (column,) = [number for number, each in enumerate(shown["columns"]) if each["path"] == path and not each["group"]]
    return {cell["row"]: cell for cell in shown["cells"] if cell["column"] == column}


def union(*layers, upper=None):
    made = {f"sha256:{number}": layer(f"layer {number}", "", entries) for number, entries in enumerate(layers)}
    state = {**empty_state(), "stacks": {"u": {"lowers": list(made), "merged": "/m"}}, "uppers": {"u": upper or {}}}
    state["mounts"] = {"mnt:1": {"/m": {"source": "overlay", "fstype": "overlay", "options": ""}}}
    return Trace(command="union", steps=(), kernel=KERNEL, layers=made, initial=state)


def test_a_copy_up_moves_who_serves_the_name():
    before, after = picture(COW, COPY_UP - 1), picture(COW, COPY_UP)
    assert head(before, "/keep")["rows"] == [6]
    assert head(after, "/keep")["rows"] == [1]
    assert cells(after, "/keep")[1] == {
        "column": 3, "row": 1, "shape": "copied", "word": "copied up", "note": "5 B 0644", "hidden": False, "now": True,
    }  # fmt: skip
    assert cells(after, "/keep")[6]["hidden"]


def test_a_whiteout_hides_the_name_and_what_is_below():
    shown = picture(COW, WHITEOUT)
    assert head(shown, "/d/renamed")["status"] == "hidden"
    assert {row: cell["shape"] for row, cell in cells(shown, "/d/renamed").items()} == {1: "whiteout", 4: "file"}
    assert [cell["hidden"] for cell in cells(shown, "/d/renamed").values()] == [False, True]


def test_a_merged_directory_has_a_row_for_each_layer_down_to_the_opaque_one():
    shown = picture(COW, WHITEOUT)
    assert head(shown, "/d")["rows"] == [1, 4, 5]
    assert cells(shown, "/d")[6]["hidden"]


def test_before_the_mount_nothing_is_served():
    assert picture(COW, 0)["state"] == "absent"
    assert picture(COW, 1)["state"] == "unmounted"
    assert head(picture(COW, 1), "/keep")["status"] == "unmounted"
    assert picture(COW, 3)["state"] == "mounted"


def test_a_copy_of_a_hard_link_is_told_though_linux_leaves_no_mark_of_it():
    def at(kept):
        steps = [
            Step(index=0, depth=SYSCALL, actor="sh", task="0.1", call="open", text="open()"),
            Step(index=1, depth=INSIDE, actor="kernel", task="0.1", call="copy_up", text="copy_up()", changes=kept[:1]),
            Step(index=2, depth=SYSCALL, actor="sh", task="0.1", call="write", text="write()", changes=kept[1:2]),
            Step(index=3, depth=SYSCALL, actor="rm", task="0.1", call="unlink", text="unlink()", changes=kept[2:3]),
            Step(index=4, depth=SYSCALL, actor="sh", task="0.1", call="open", text="open()", changes=kept[3:]),
        ]
        return dataclasses.replace(union({"/a": file(5, nlink=2)}), steps=tuple(steps))

    path, one, two = ("uppers", "u", "/a"), file(5), file(9)
    trace = at(
        (Change(path, None, one), Change(path, one, two), Change(path, two, whiteout()), Change(path, whiteout(), one))
    )
    shapes = [cells(picture(trace, index), "/a")[1]["shape"] for index in (1, 2, 3, 4)]
    assert shapes == ["copied", "copied", "whiteout", "new"]


def test_the_last_mounted_step_is_found():
    gone = Step(
        index=len(COW), depth=SYSCALL, actor="daemon", task="0", call="umount2", text="umount2(…)",
        changes=(Change(("mounts",), COW.at(len(COW) - 1)["mounts"], {"mnt:1": {"/proc": {"fstype": "proc"}}}),),
    )  # fmt: skip
    assert last_mounted(COW) == len(COW) - 1
    assert last_mounted(dataclasses.replace(COW, steps=(*COW.steps, gone))) == len(COW) - 1
    assert last_mounted(dataclasses.replace(COW, steps=COW.steps[:2])) == 1


def test_bytes_are_told():
    assert picture(COW, WRITE)["bytes"] == {
        "writable": 10,
        "image": 1_131_168 + 340 + 307 + 136 + 22 + 9221 + 18 + 64_005 + 21,
        "hidden": 64_000 + 4 + 9 + 5,
    }


def test_rows_and_columns_do_not_overlap_and_lie_in_the_picture():
    shown = picture(COW, WRITE)
    assert [row["kind"] for row in shown["rows"]] == ["merged", "upper"] + 6 * ["lower"]
    for above, below in zip(shown["rows"], shown["rows"][1:], strict=False):
        assert above["y"] + above["height"] <= below["y"]
    for left, right in zip(shown["columns"], shown["columns"][1:], strict=False):
        assert left["x"] + left["width"] < right["x"]
    assert GEOMETRY["label"] + shown["columns"][-1]["x"] + GEOMETRY["cell"] <= shown["width"]
    assert shown["rows"][-1]["y"] + shown["rows"][-1]["height"] <= shown["height"]


def test_columns_stand_still_while_the_steps_go_by():
    assert len({str(picture(COW, index)["columns"]) for index in range(-1, len(COW))}) == 1


def test_touched_names_come_first_then_stories_programs_and_collapsed_directories():
    shown = picture(COW, 0)
    paths = [(column["path"], column["group"]) for column in shown["columns"]]
    assert paths[:6] == [(path, 0) for path in ("/d", "/d/renamed", "/etc", "/keep", "/new", "/new/file")]
    assert paths[6:10] == [("/a", 0), ("/big", 0), ("/d/old", 0), ("/bin/sh", 0)]
    assert ("/usr", 4) in paths[10:]
    assert ("/etc", 5) in paths[10:]


def test_every_name_is_in_exactly_one_column():
    scene = make_scene(COW.to_json(), "web")
    members = [name for column in scene.columns for name in column.members or [column.path]]
    assert len(members) == len(set(members))
    names = {name for entries in scene.lowers for name in entries} | upper_names(COW.to_json(), "web")
    parents = {name.rpartition("/")[0] for name in names}
    assert names - parents - {"/"} <= set(members)


def test_an_opened_directory_shows_its_names():
    shown = picture(COW, 0, opened=["/usr", "/usr/share"])
    assert ("/usr/share/zoneinfo", 4) in [(column["path"], column["group"]) for column in shown["columns"]]
    shown = picture(COW, 0, opened=["/etc"])
    assert {"/etc/passwd", "/etc/motd"} <= {column["path"] for column in shown["columns"]}


def test_a_search_shows_what_contains_it():
    shown = picture(COW, 0, query="ETC/")
    assert [column["path"] for column in shown["columns"]] == [
        f"/etc/{name}" for name in ("group", "hosts", "motd", "passwd", "shadow")
    ]


def test_a_small_union_shows_all_names():
    shown = picture(union({"/a": file(1)}, {"/a": file(2), "/d": directory()}, {"/b": file(3)}), -1)
    assert [column["path"] for column in shown["columns"]] == ["/a", "/b", "/d"]


def test_a_tall_stack_folds_layers_without_the_shown_names():
    trace = union(
        *[{"/a": file(1)} if number in (3, 20) else {f"/x/{number}": file(2)} for number in range(30)],
        upper={"/a": whiteout()},
    )
    shown = picture(trace, -1)
    assert [row["title"] for row in shown["rows"]][2:] == ["3 layers", "layer 3", "16 layers", "layer 20", "9 layers"]
    assert not shown["compact"]
    assert len(picture(trace, -1, fold=False)["rows"]) == 32
    assert picture(trace, -1, fold=False)["compact"]


def test_what_is_zoomed_away_is_included_in_the_step_before_it():
    assert shown_until(COW, COPY_UP - 1, SYSCALL) == COPY_UP
    assert shown_until(COW, 0, DOCKER) == len(COW) - 1
    assert shown_until(COW, 1, ENGINE) == 3
    assert shown_until(COW, 5, INSIDE) == 5
    assert shown_until(COW, -1, DOCKER) == -1
    assert cells(picture(COW, COPY_UP - 1, zoom=SYSCALL), "/keep")[1]["now"]


def test_without_layers_there_is_no_picture():
    trace = dataclasses.replace(COW, steps=(), initial=empty_state())
    assert picture(trace, -1) is None
    assert stack_at(trace.to_json(), -1) is None


def test_the_stack_touched_last_is_shown():
    trace = big_trace(5, 3, 20)
    assert stack_at(trace.to_json(), 4) == "tower"
    assert picture(COW, 0)["stack"] == "web"


@pytest.mark.parametrize(("size", "text"), [
    (0, "0 B"), (999, "999 B"), (1000, "1 kB"),
    (1250, "1.25 kB"), (12_340, "12.3 kB"), (64_000, "64 kB"), (999_999, "1000 kB"),
    (2_050_000, "2.05 MB"), (123_456_789, "123 MB"), (5 * 10**15, "5000 TB"),
])  # fmt: skip
def test_sizes_read_as_dockers(size, text):
    assert size_text(size) == text


def test_words_are_cut_to_fit():
    assert (cut("abcdef", 4), cut_start("abcdef", 4), cut("abcd", 4)) == ("abc…", "…def", "abcd")
    assert made_by('/bin/sh -c #(nop)  CMD ["sh"]') == 'CMD ["sh"]'
    assert mode_text({"mode": 0o104755, "uid": 5}) == "4755 5:0"
