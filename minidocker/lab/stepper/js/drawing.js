// Drawing: a picture as a value (drawing.py tells what it is), and its nodes, which are kept and changed.
import { attr, draw, focusable, node, put } from "./dom.js";
import { cutEnd } from "./words.js";

export const LETTER = 73; // tenths of a pixel
const SMALL_LETTER = 67;
const ARROW_HEAD = 6;

export class Drawing {
  constructor() {
    this.items = [];
    this.lines = [];
  }

  box(key, kind, x, y, w, h, r = 7) {
    this.items.push({ key, shape: "box", kind, x, y, w, h, r });
  }

  text(key, kind, x, y, text, room, at = "start") {
    const large = kind.split(" ").some((word) => word === "title" || word === "word");
    const said = cutEnd(text, Math.max(1, Math.floor((10 * room) / (large ? LETTER : SMALL_LETTER))));
    const item = { key, shape: "text", kind, x, y, at, text: said };
    this.items.push(said === text ? item : { ...item, full: text });
  }

  line(key, kind, points) {
    this.items.push({ key, shape: "line", kind, points: points.map((point) => [...point]) });
  }

  arrow(key, kind, points) {
    this.line(key, kind, points);
    const [[x0, y0], [x, y]] = points.slice(-2);
    const size = ARROW_HEAD;
    if (x0 === x) {
      const back = y > y0 ? y - size : y + size;
      this.line(`${key} head`, kind, [[x - size, back], [x, y], [x + size, back]]); // prettier-ignore
    } else {
      const back = x > x0 ? x - size : x + size;
      this.line(`${key} head`, kind, [[back, y - size], [x, y], [back, y + size]]); // prettier-ignore
    }
  }

  say(depth, text, now = false) {
    this.lines.push({ depth, text, now });
  }

  done(view, width, height) {
    return { view, width, height, items: this.items, lines: this.lines };
  }
}

export function byLine(one, other) {
  const [a, b] = [one.split(".").map(Number), other.split(".").map(Number)];
  for (let n = 0; n < Math.min(a.length, b.length); n += 1) if (a[n] !== b[n]) return a[n] - b[n];
  return a.length - b.length;
}

export function numberOf(space) {
  return Number(space.slice(space.indexOf(":") + 1)) || 0;
}

export function sortedSpaces(spaces) {
  return spaces
    .map((space, place) => [numberOf(space), place, space])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([, , space]) => space);
}

export function containersById(state) {
  return new Map(Object.entries(state.containers || {}).map(([name, row]) => [row.id || "", name]));
}

// The container that a task belongs to: its control group has the id, or its root's mount.
export function containerOf(state, task) {
  const row = state.tasks[task];
  const names = containersById(state);
  const root = ((state.mounts || {})[(row.namespaces || {}).mnt] || {})["/"] || {};
  for (const path of [...Object.values(row.cgroups || {}), `${root.source || ""}/${root.options || ""}`]) {
    for (const part of path.split("/")) if (names.has(part)) return names.get(part);
  }
  return "";
}

export function frozenGroups(state) {
  const groups = Object.entries(state.cgroups || {});
  const told = groups.filter(([, row]) => row.frozen).map(([path]) => path);
  const under = ([path]) => told.some((each) => `${path}/`.startsWith(`${each}/`));
  return new Set(groups.filter(under).map(([path]) => path));
}

export function statusWords(state, task) {
  const row = state.tasks[task];
  if (row.status === "zombie") return `zombie, exit ${row.exit_code ?? 0}`;
  const frozen = frozenGroups(state);
  return Object.values(row.cgroups || {}).some((group) => frozen.has(group)) ? "frozen" : "";
}

const everKnown = new WeakMap();

// The keys that a table has at any step, in the order of their appearance; counted once a trace.
export function ever(trace, table) {
  if (!everKnown.has(trace)) everKnown.set(trace, new Map());
  const known = everKnown.get(trace);
  if (!known.has(table)) {
    const found = new Set(Object.keys(trace.initial[table] || {}));
    for (const step of trace.steps) {
      for (const [path, , now] of step.changes) {
        if (path[0] !== table) continue;
        for (const key of path.length > 1 ? [path[1]] : Object.keys(now || {})) found.add(key);
      }
    }
    known.set(table, [...found]);
  }
  return known.get(table);
}

// A drawing on the page: as SVG, or where it is narrow as a list of what it says.
export class DrawingNode {
  constructor(label) {
    this.nodes = new Map();
    this.title = draw("title");
    this.described = draw("desc");
    this.body = draw("svg", { class: "d-drawing", role: "img" }, this.title, this.described);
    this.list = node("ul", { class: "mds-said" });
    this.label = label;
    this.element = focusable("div", { class: "mds-drawing", tabindex: "0", role: "region", "aria-label": label });
  }

  show(drawing, narrow) {
    if (this.narrow !== narrow) {
      this.narrow = narrow;
      this.element.replaceChildren(narrow ? this.list : this.body);
      this.said = undefined;
    }
    const said = drawing.lines.map(({ depth, text }) => "  ".repeat(depth) + text).join("\n");
    if (narrow) this.showList(drawing.lines);
    else this.showItems(drawing, said);
  }

  showList(lines) {
    const said = JSON.stringify(lines);
    if (said === this.said) return;
    this.said = said;
    this.list.replaceChildren(
      ...lines.map(({ depth, text, now }) =>
        node("li", { class: now ? "now" : "", style: `--depth:${depth}` }, text, now ? node("span", { class: "mds-new" }, "now") : ""),
      ),
    );
  }

  showItems(drawing, said) {
    put(this.title, this.label);
    put(this.described, said);
    attr(this.body, "width", drawing.width);
    attr(this.body, "height", drawing.height);
    const seen = new Set();
    let after = this.described;
    for (const item of drawing.items) {
      seen.add(item.key);
      const kept = this.nodes.get(item.key);
      const made = kept && kept.shape === item.shape ? kept : this.make(item);
      if (made !== kept && kept) kept.element.remove();
      this.dress(made, item);
      if (after.nextSibling !== made.element) after.after(made.element);
      after = made.element;
    }
    for (const [key, { element }] of this.nodes) {
      if (seen.has(key)) continue;
      element.remove();
      this.nodes.delete(key);
    }
  }

  make(item) {
    const tag = { box: "rect", text: "text", line: "polyline" }[item.shape];
    const made = { shape: item.shape, element: draw(tag), told: "" };
    this.nodes.set(item.key, made);
    return made;
  }

  dress(made, item) {
    const told = JSON.stringify(item);
    if (told === made.told) return;
    made.told = told;
    const { element } = made;
    attr(element, "class", drawnClasses(item));
    if (item.shape === "box") {
      for (const [name, key] of [["x", "x"], ["y", "y"], ["width", "w"], ["height", "h"], ["rx", "r"]]) attr(element, name, item[key]); // prettier-ignore
    } else if (item.shape === "line") {
      attr(element, "points", item.points.map((point) => point.join(",")).join(" "));
    } else {
      attr(element, "x", item.x);
      attr(element, "y", item.y);
      attr(element, "text-anchor", item.at);
      element.replaceChildren(item.text, ...(item.full ? [draw("title", {}, item.full)] : []));
    }
  }

  // Let what has just moved be seen to move: the frame, along its way.
  travel(drawing) {
    const way = drawing.items.find((item) => item.key === "way");
    if (!way || this.narrow || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const [endX, endY] = way.points.at(-1);
    const stops = way.points.map(([x, y]) => ({ transform: `translate(${x - endX}px, ${y - endY}px)` }));
    for (const key of ["frame", "flap"]) {
      this.nodes.get(key)?.element.animate(stops, { duration: 650, easing: "ease-in-out" });
    }
  }
}

function drawnClasses(item) {
  return [item.shape, ...item.kind.split(" ")].filter(Boolean).map((word) => `d-${word}`).join(" ");
}
