"""Random stacks of layers and traces over them, for tests that hold the Python and the JavaScript to each other."""

from typing import Any

from hypothesis import strategies as st

PATHS = ("/a", "/b", "/d", "/d/a", "/d/e", "/d/e/a", "/d/e/b", "/f", "/f/a", "/f-x", "/Ω", "/d/long-name-that-is-cut")

files = st.builds(
    lambda size, mode, uid, origin: {"kind": "file", "mode": mode, "uid": uid, "gid": 0, "size": size}
    | ({"origin": True} if origin else {}),
    st.integers(0, 3_000_000), st.sampled_from([0o644, 0o4755, 0]), st.sampled_from([0, 1000]), st.booleans(),
)  # fmt: skip
directories = st.builds(
    lambda opaque, origin, redirect: {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0}
    | ({"opaque": True} if opaque else {})
    | ({"origin": True} if origin else {})
    | ({"redirect": redirect} if redirect else {}),
    st.booleans(), st.booleans(), st.sampled_from([None, None, None, None, "/d", "/f", "e"]),
)  # fmt: skip
others = st.sampled_from([
    {"kind": "whiteout", "mode": 0, "uid": 0, "gid": 0},
    {"kind": "symlink", "mode": 0o777, "uid": 0, "gid": 0, "target": "/a"},
    {"kind": "char", "mode": 0o666, "uid": 0, "gid": 0, "rdev": [1, 3]},
    {"kind": "fifo", "mode": 0o644, "uid": 0, "gid": 0},
])  # fmt: skip


def whole(entries: dict[str, Any]) -> dict[str, Any]:
    """Return entries that a directory can have: what lies below something lies in a directory."""
    made: dict[str, Any] = {}
    for path in sorted(entries):
        parents = [path[:end] for end in range(1, len(path)) if path[end] == "/"]
        if all(made.get(parent, {"kind": "dir"})["kind"] == "dir" for parent in parents):
            made |= {
                parent: {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0} for parent in parents if parent not in made
            }
            made[path] = entries[path]
    return made


layers = st.dictionaries(st.sampled_from(PATHS), files | directories | directories | others, max_size=8).map(whole)
stacks = st.lists(layers, min_size=1, max_size=5)
