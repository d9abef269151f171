"""The view of networks: namespaces as boxes, links in them, cables between them, and the frame on its way.

The host's side is at the top, with its bridges and their ports; below it the other network namespaces, each under the
port that leads to it. Twin of ``js/network.js``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from minidocker.lab.stepper.drawing import LETTER, Drawing, State, by_line, container_of, sorted_spaces

CHIP_W, CHIP_H, GAP, BOX_W, TITLE, BRIDGE, CABLE, LINE = 150, 50, 12, 348, 30, 38, 64, 18
HOST: Final = "net:1"

#: So many frames of one call are told below the picture.
MOST_FRAMES: Final = 6


@dataclass(slots=True)
class _Place:
    """Where things of one namespace are: its box, and the middle of each link's upper and lower edge."""

    x: int
    y: int
    w: int
    h: int = 0
    links: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def network(trace: Mapping[str, Any], state: State, old: State, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the drawing of a state; the frames are those of the present steps."""
    del trace
    drawing = Drawing()
    tables = state.get("links", {})
    others = sorted_spaces(space for space in tables if space != HOST and space.startswith("net:"))
    host = tables.get(HOST) or {}
    ends = [x + CHIP_W + GAP for x in _ports(host, others).values()]
    width = max(_host_width(host), len(others) * (BOX_W + GAP) - GAP, BOX_W, *ends)
    places = {HOST: _host(drawing, state, old, width, others)}
    x = 0
    for space in others:
        places[space] = _other(drawing, state, old, space, x, places[HOST].h + CABLE)
        x += BOX_W + GAP
    _cables(drawing, state, old, places)
    bottom = max(place.y + place.h for place in places.values())
    frames = [step["data"] for step in steps if step["call"] == "frame" and step.get("data")]
    bottom = _frames(drawing, places, frames, bottom, width)
    return drawing.done("network", width, bottom + 8)


def _ports(host: Mapping[str, Any], others: Sequence[str]) -> dict[str, int]:
    """Return where each veth of the host's side stands: above the namespace of its other end, if there is room."""
    places, taken = {}, 0
    for name, link in host.items():
        if link.get("peer"):
            space = link["peer"][0]
            above = others.index(space) * (BOX_W + GAP) + GAP if space in others else 0
            places[name] = max(above, taken + GAP)
            taken = places[name] + CHIP_W
    return places


def _host_width(host: Mapping[str, Any]) -> int:
    """Return how much room the links need that are neither bridges nor veths."""
    rest = [name for name, link in host.items() if not link.get("peer") and link.get("kind") != "bridge"]
    return len(rest) * (CHIP_W + GAP) + 2 * GAP


def owner_words(state: State, space: str) -> str:
    """Return who lives in a network namespace: the host's side, containers, or programs."""
    if space == HOST:
        return "the host’s side"
    lines = [t for t, row in state.get("tasks", {}).items() if row.get("namespaces", {}).get("net") == space]
    names = [container_of(state, task) or state["tasks"][task].get("name", "?") for task in sorted(lines, key=by_line)]
    return ", ".join(dict.fromkeys(names)) or "no task"


def _host(drawing: Drawing, state: State, old: State, width: int, others: Sequence[str]) -> _Place:
    links = state.get("links", {}).get(HOST) or {}
    place = _Place(0, 0, width)
    bridges = [name for name, link in links.items() if link.get("kind") == "bridge"]
    rest = [name for name, link in links.items() if link.get("kind") != "bridge" and not link.get("peer")]
    ports = _ports(links, others)
    y = _routes(drawing, state, old, HOST, GAP, TITLE, width)
    if rest:
        for number, name in enumerate(rest):
            _chip(drawing, state, old, place, HOST, name, GAP + number * (CHIP_W + GAP), y)
        y += CHIP_H + GAP
    for name in bridges:
        _bridge(drawing, state, old, place, HOST, name, y)
        y += BRIDGE + (GAP // 2 if name == bridges[-1] and ports else GAP)
    for name, x in ports.items():
        _chip(drawing, state, old, place, HOST, name, x, y)
        if links[name].get("master") in place.links:
            bar = place.links[links[name]["master"]]
            drawing.line(f"port {name}", "port", [[x + CHIP_W // 2, bar[2]], [x + CHIP_W // 2, y]])
    y += CHIP_H + GAP if ports else 0
    place.h = max(y, TITLE + CHIP_H)
    _frame_of_space(drawing, state, place, HOST)
    return place


def _other(drawing: Drawing, state: State, old: State, space: str, x: int, y0: int) -> _Place:
    links = state.get("links", {}).get(space) or {}
    place = _Place(x, y0, BOX_W)
    order = sorted(links, key=lambda name: (not links[name].get("peer"), name == "lo"))
    y = y0 + TITLE
    for number, name in enumerate(order):
        column = number % 2
        _chip(drawing, state, old, place, space, name, x + GAP + column * (CHIP_W + GAP), y)
        if column == 1 or number == len(order) - 1:
            y += CHIP_H + GAP
    y = _routes(drawing, state, old, space, x + GAP, y, BOX_W)
    place.h = max(y - y0, TITLE + CHIP_H)
    _frame_of_space(drawing, state, place, space)
    return place


def _frame_of_space(drawing: Drawing, state: State, place: _Place, space: str) -> None:
    """Draw the box that a namespace is; behind what is in it."""
    key, kind = f"space {space}", f"space{' first' if space == HOST else ''}"
    drawing.box(key, kind, place.x, place.y, place.w, place.h, 10)
    drawing.items.insert(0, drawing.items.pop())
    said, at = f"{space} · {owner_words(state, space)}", "start" if space == HOST else "end"
    x = place.x + GAP if space == HOST else place.x + place.w - GAP  # at the left a cable comes in
    drawing.text(f"title {space}", "title", x, place.y + 20, said, place.w - CHIP_W, at)


def _is_new(state: State, old: State, space: str, name: str) -> bool:
    return (old.get("links", {}).get(space) or {}).get(name) != (state.get("links", {}).get(space) or {}).get(name)


def _chip(drawing: Drawing, state: State, old: State, place: _Place, space: str, name: str, x: int, y: int) -> None:
    link = state["links"][space][name]
    now = _is_new(state, old, space, name)
    place.links[name] = (x + CHIP_W // 2, y, y + CHIP_H)
    kind = f"link {link.get('kind') or 'link'} {'up' if link.get('up') else 'down'}{' now' if now else ''}"
    drawing.box(f"link {space} {name}", kind, x, y, CHIP_W, CHIP_H, 6)
    said = f"{link.get('kind') or 'link'} {'up' if link.get('up') else 'down'}"
    addresses = ", ".join(link.get("addresses") or [])
    drawing.text(f"name {space} {name}", "title", x + 9, y + 19, name, CHIP_W - 12)
    drawing.text(
        f"note {space} {name}", "note", x + CHIP_W - 9, y + 19, said, CHIP_W - 18 - LETTER * len(name) // 10, "end"
    )
    drawing.text(
        f"address {space} {name}",
        "word",
        x + 9,
        y + 38,
        addresses or (f"port of {link['master']}" if link.get("master") else "no address"),
        CHIP_W - 12,
    )
    _say(drawing, state, space, name, now=now)


def _bridge(drawing: Drawing, state: State, old: State, place: _Place, space: str, name: str, y: int) -> None:
    link = state["links"][space][name]
    now = _is_new(state, old, space, name)
    place.links[name] = (place.x + place.w // 2, y, y + BRIDGE)
    kind = f"link bridge {'up' if link.get('up') else 'down'}{' now' if now else ''}"
    drawing.box(f"link {space} {name}", kind, place.x + GAP, y, place.w - 2 * GAP, BRIDGE, 6)
    words = [name, f"bridge, {'up' if link.get('up') else 'down'}", ", ".join(link.get("addresses") or [])]
    drawing.text(
        f"name {space} {name}",
        "title",
        place.x + GAP + 12,
        y + 21,
        " · ".join(word for word in words if word),
        place.w - 40,
    )
    _say(drawing, state, space, name, now=now)


def _say(drawing: Drawing, state: State, space: str, name: str, *, now: bool) -> None:
    link = state["links"][space][name]
    words = [
        f"{link.get('kind') or 'link'}, {'up' if link.get('up') else 'down'}",
        ", ".join(link.get("addresses") or []),
        f"other end {link['peer'][1]} in {link['peer'][0]}" if link.get("peer") else "",
        f"port of {link['master']}" if link.get("master") else "",
    ]
    drawing.say(1, f"{space} {name}: " + ", ".join(word for word in words if word), now=now)


def _routes(drawing: Drawing, state: State, old: State, space: str, x: int, y: int, width: int) -> int:
    """Write a namespace's routes below its links, and return where they end."""
    routes, before = state.get("routes", {}).get(space) or {}, old.get("routes", {}).get(space) or {}
    for destination, route in routes.items():
        gateway = f" via {route['gateway']}" if route.get("gateway") else ""
        said = f"{destination}{gateway} dev {route.get('link', '')}"
        now = before.get(destination) != route
        kind = "note changed" if now else "note"
        drawing.text(f"route {space} {destination}", kind, x, y + 10, said, width - 2 * GAP)
        drawing.say(1, f"{space} route {said}", now=now)
        y += LINE
    return y + (GAP // 2 if routes else 0)


def _cables(drawing: Drawing, state: State, old: State, places: Mapping[str, _Place]) -> None:
    """Draw each veth pair once: a line from end to end."""
    for space, links in state.get("links", {}).items():
        for name, link in links.items():
            peer = link.get("peer")
            if not peer or [space, name] > peer or not _ends(places, space, name) or not _ends(places, *peer):
                continue
            other = (state["links"].get(peer[0]) or {}).get(peer[1]) or {}
            up = link.get("up") and other.get("up")
            now = _is_new(state, old, space, name) or _is_new(state, old, *peer)
            kind = f"cable {'up' if up else 'down'}{' now' if now else ''}"
            drawing.line(f"cable {space} {name}", kind, cable(places, (space, name), (peer[0], peer[1])))


def _ends(places: Mapping[str, _Place], space: str, name: str) -> tuple[int, int, int] | None:
    return places[space].links.get(name) if space in places else None


def cable(places: Mapping[str, _Place], one: tuple[str, str], other: tuple[str, str]) -> list[list[int]]:
    """Return the points of a line between two links: straight down, over the boxes, or below two of one box."""
    a, b = places[one[0]].links[one[1]], places[other[0]].links[other[1]]
    if one[0] == other[0]:
        low = max(a[2], b[2]) + 6
        return [[a[0], a[2]], [a[0], low], [b[0], low], [b[0], b[2]]]
    if HOST in (one[0], other[0]):
        top, bottom = (a, b) if one[0] == HOST else (b, a)
        middle = (top[2] + bottom[1]) // 2
        points = [[top[0], top[2]], [top[0], middle], [bottom[0], middle], [bottom[0], bottom[1]]]
        return points if one[0] == HOST else points[::-1]
    high = places[one[0]].y - 14
    return [[a[0], a[1]], [a[0], high], [b[0], high], [b[0], b[1]]]


def _frames(
    drawing: Drawing, places: Mapping[str, _Place], frames: Sequence[Mapping[str, Any]], y: int, width: int
) -> int:
    """Draw the way of the last of the frames, and write what they are; return where that ends."""
    told = frames[-MOST_FRAMES:]
    for number, frame in enumerate(told):
        text = f"{frame.get('link', '')} → {frame.get('to', '')} · {frame.get('what', '')}"
        last = number == len(told) - 1
        drawing.text(f"frame text {number}", "word changed" if last else "note", 4, y + 22, text, width - 8)
        drawing.lines.insert(number, {"depth": 0, "text": f"frame {text}", "now": last})
        y += LINE
    if told:
        _way(drawing, places, told[-1])
    return y + (14 if told else 0)


def _way(drawing: Drawing, places: Mapping[str, _Place], frame: Mapping[str, Any]) -> None:
    """Draw a frame's hop from link to link, with itself at the end."""
    one = (str(frame.get("netns", "")), str(frame.get("link", "")))
    other = (str(frame.get("to_netns", "")), str(frame.get("to", "")))
    start, end = _ends(places, *one), _ends(places, *other)
    if start is None or end is None:
        return
    if one[0] != other[0]:
        points = cable(places, one, other)
    else:
        via = _ends(places, one[0], str(frame.get("via", "")))
        level = via[2] - BRIDGE // 5 if via else (start[1] + start[2]) // 2
        points = [[start[0], start[1]], [start[0], level], [end[0], level], [end[0], end[1]]]
    drawing.arrow("way", "way", points)
    x, y = points[-1]
    drawing.box("frame", "frame", x - 13, y - 9, 26, 18, 3)
    drawing.line("flap", "flap", [[x - 13, y - 9], [x, y + 1], [x + 13, y - 9]])
