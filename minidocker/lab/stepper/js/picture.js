// Picture: the layer stack as SVG. Nodes are kept and changed; only the columns that can be seen have nodes.
import { attr, draw, focusable, node, put } from "./dom.js";
import { GEOMETRY, fillColumn, placeColumn, placeRows, stackStatus } from "./layout.js";
import { ICONS, detail, outline } from "./shapes.js";

const MARGIN = 2; // columns made ready beyond both edges

export class Picture {
  constructor({ onOpen }) {
    this.onOpen = onOpen;
    const hatchId = `mds-hatch-${Math.random().toString(36).slice(2)}`; // several steppers may share a page
    this.columns = new Map();
    this.corner = draw("svg", { class: "mds-corner" });
    this.heads = draw("svg", { class: "mds-heads" });
    this.labels = draw("svg", { class: "mds-labels" });
    this.bands = draw("g");
    this.lines = draw("g");
    this.cells = draw("g");
    this.dots = draw("g");
    this.title = draw("title");
    this.body = draw(
      "svg",
      { class: "mds-cells", role: "img" },
      this.title,
      hatch(hatchId),
      this.bands,
      this.lines,
      this.cells,
      this.dots,
    );
    this.body.style.setProperty("--hatch", `url(#${hatchId})`);
    this.grid = node("div", { class: "mds-grid" }, this.corner, this.heads, this.labels, this.body);
    this.element = focusable(
      "div",
      { class: "mds-scroll", tabindex: "0", role: "region", "aria-label": "Layer stack" },
      this.grid,
    );
    this.left = 0; // kept, because to ask the browser for it would make it lay out the page at once
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  scrolled() {
    this.left = this.element.scrollLeft;
    this.fill();
  }

  // Show a scene in a state; `changed` are the names changed just now, `copied` the copies, `forward` tells the way that the steps went.
  show(scene, state, changed, copied, forward) {
    const status = stackStatus(scene, state);
    const hasUpper = scene.stack in (state.uppers || {});
    const upper = (state.uppers || {})[scene.stack] || {};
    if (scene !== this.scene) this.clear();
    Object.assign(this, { scene, status, upper, changed, copied, forward, stack: [upper, ...scene.lowers] });
    const grid = `${status} ${hasUpper}`;
    if (grid !== this.drawnGrid) this.drawGrid(placeRows(scene, status, hasUpper), grid);
    this.moving = !this.calm.matches && !this.fresh;
    this.reveal(changed);
    this.fill();
    this.moving = false;
    this.fresh = false;
  }

  clear() {
    for (const column of this.columns.values()) removeColumn(column);
    this.columns.clear();
    this.drawnGrid = null;
    this.fresh = true;
  }

  drawGrid({ rows, height, compact }, grid) {
    const { label, gap, head, row_gap } = GEOMETRY;
    Object.assign(this, { rows, compact, drawnGrid: grid, top: head + row_gap });
    const width = placeColumn(this.scene.columns.length) + gap;
    for (const [svg, w, h] of [
      [this.corner, label, this.top],
      [this.heads, width, this.top],
      [this.labels, label, height - this.top],
      [this.body, width, height - this.top],
    ]) {
      attr(svg, "width", w);
      attr(svg, "height", h);
    }
    this.grid.dataset.state = this.status;
    this.corner.replaceChildren(band(rows[0], 0, "left"), ...rowText(rows[0], 0, compact));
    this.labels.replaceChildren();
    this.bands.replaceChildren();
    this.headBand?.remove();
    this.heads.prepend((this.headBand = band(rows[0], 0, "right")));
    rows.slice(1).forEach((row, place) => {
      const y = row.y - this.top;
      const tip = draw("title");
      tip.textContent = tipOf(this.scene.rows[place + 1]);
      const name = draw("g", { class: `mds-row ${row.kind}` }, tip, band(row, y, "left"), ...rowText(row, y, compact));
      this.labels.append(name);
      this.bands.append(band(row, y, "right"));
    });
  }

  // Make and change the nodes of the columns that can be seen.
  fill() {
    if (!this.scene || this.element.hidden) return;
    const pitch = GEOMETRY.cell + GEOMETRY.gap;
    const seen = (this.width ||= this.element.clientWidth || 1200);
    const first = Math.max(0, Math.floor(this.left / pitch) - MARGIN);
    const last = Math.min(this.scene.columns.length - 1, Math.ceil((this.left + seen) / pitch) + MARGIN);
    for (const [number, column] of this.columns) {
      if (number >= first && number <= last) continue;
      removeColumn(column);
      this.columns.delete(number);
    }
    for (let number = first; number <= last; number += 1) this.fillOne(number);
  }

  fillOne(number) {
    const { head, cells } = fillColumn(this.scene, this.stack, number, this.status, this.changed, this.copied);
    let column = this.columns.get(number);
    const isNew = !column;
    if (isNew) this.columns.set(number, (column = this.makeColumn(number)));
    this.drawHead(column, head);
    this.drawLine(column, head);
    const wanted = new Set();
    for (const cell of cells) {
      wanted.add(cell.row);
      this.drawCell(column, cell, isNew);
    }
    for (const [row, cell] of column.cells) {
      if (wanted.has(row)) continue;
      this.leave(cell, column);
      column.cells.delete(row);
    }
    column.served = head.rows;
  }

  makeColumn(number) {
    const x = placeColumn(number);
    const { cell, head, pad } = GEOMETRY;
    const path = this.scene.columns[number].path;
    const opens = this.scene.columns[number].members.length > 0;
    const tip = draw("title");
    const outlineNode = draw("rect", { width: cell, height: head - 2 * pad, rx: 8, class: "box" });
    const texts = [12, 28, 43].map((y, line) =>
      draw("text", { x: 9, y: y + 1, class: ["folder", "name", "status"][line] }),
    );
    const group = draw("g", { class: "mds-head", transform: `translate(${x} ${pad})` }, tip, outlineNode, ...texts);
    if (opens) {
      tip.textContent = `Show the names in ${path}`;
      const open = () => this.onOpen(path);
      dressButton(group, `Show the names in ${path}`, open);
    }
    const line = draw("path", { class: "mds-line" });
    const stem = draw("path", { class: "mds-line", d: `M${x + cell / 2} ${head - pad}V${this.top}` });
    const dots = draw("g", { class: "mds-dots" });
    const holder = draw("g");
    this.lines.append(line);
    this.heads.append(stem, group);
    this.cells.append(holder);
    this.dots.append(dots);
    return {
      number,
      x,
      path,
      opens,
      group,
      tip,
      texts,
      line,
      stem,
      dots,
      holder,
      cells: new Map(),
      served: [],
      drawn: "",
    };
  }

  drawHead(column, head) {
    const drawn = `${head.status}|${head.label}|${head.word}|${head.rows.length}`;
    if (drawn === column.drawn) return;
    column.drawn = drawn;
    attr(column.group, "class", `mds-head ${head.status}`);
    put(column.texts[0], head.folder);
    put(column.texts[1], head.label);
    put(column.texts[2], statusText(head));
    if (!column.opens) put(column.tip, `${column.path}: ${statusText(head)}`);
  }

  drawLine(column, head) {
    const ys = head.rows.map((row) => this.rows[row].y - this.top + GEOMETRY.pad);
    const centre = column.x + GEOMETRY.cell / 2;
    attr(
      column.line,
      "d",
      ys.length ? `M${centre} 0V${ys[0]}` + (ys.length > 1 ? `M${centre} ${ys[0]}V${ys.at(-1)}` : "") : "",
    );
    column.stem.style.display = ys.length ? "" : "none";
    while (column.dots.children.length > ys.length) column.dots.lastChild.remove();
    ys.forEach((y, place) => {
      const dot = column.dots.children[place] || column.dots.appendChild(draw("circle", { r: 4, cx: centre }));
      attr(dot, "cy", y);
    });
  }

  drawCell(column, cell, isNew) {
    const drawn = `${cell.shape}|${cell.word}|${cell.note}|${cell.hidden}|${cell.now}`;
    let kept = column.cells.get(cell.row);
    if (kept && kept.drawn === drawn) return;
    const row = this.rows[cell.row];
    const height = row.height - 2 * GEOMETRY.pad;
    const appears = !kept || kept.shape !== cell.shape;
    if (kept && appears) kept.place.remove();
    if (appears) {
      kept = makeCell(cell, height, this.compact);
      attr(kept.place, "transform", `translate(${column.x} ${row.y - this.top + GEOMETRY.pad})`);
      column.holder.append(kept.place);
      column.cells.set(cell.row, kept);
    }
    kept.drawn = drawn;
    attr(
      kept.place,
      "class",
      `mds-cell ${cell.shape} ${row.kind}${cell.hidden ? " hidden" : ""}${cell.now ? " now" : ""}`,
    );
    put(kept.word, cell.word);
    if (kept.note) put(kept.note, cell.note);
    put(kept.tip, `${column.path} in ${row.title}: ${cell.word} ${cell.note}${cell.hidden ? " (hidden)" : ""}`);
    if (appears && this.moving && !isNew) this.enter(kept, cell, column);
  }

  // A copy rises from the layer that served the name until now; a mark falls into place.
  enter(kept, cell, column) {
    const from = column.served.find((row) => row > cell.row);
    const rises = cell.shape.startsWith("copied") && from !== undefined && this.forward;
    const dy = rises ? this.rows[from].y - this.rows[cell.row].y : 0;
    const start = rises ? { transform: `translateY(${dy}px)`, opacity: 0.5 } : { transform: "scale(.8)", opacity: 0 };
    kept.inner.animate([start, { transform: "none", opacity: 1 }], {
      duration: rises ? 480 : 220,
      easing: "cubic-bezier(.2,.7,.2,1)",
    });
  }

  leave(kept, column) {
    if (!this.moving) {
      kept.place.remove();
      return;
    }
    const fade = kept.inner.animate([{ opacity: 1 }, { opacity: 0, transform: "scale(.8)" }], {
      duration: 160,
      fill: "forwards",
    });
    fade.onfinish = () => kept.place.remove();
    column.leaving = kept.place;
  }

  // Bring what changed into view: the deepest of the names, the others are the directories above it.
  reveal(changed) {
    if (!changed.size) return;
    const [path] = [...changed].sort((one, other) => other.length - one.length);
    const number = this.scene.columns.findIndex((column) => column.path === path && !column.members.length);
    const pitch = GEOMETRY.cell + GEOMETRY.gap;
    const room = Math.max(1, Math.floor(((this.width ||= this.element.clientWidth) - GEOMETRY.label) / pitch)); // whole columns
    const first = Math.ceil(this.left / pitch);
    if (number < 0 || (number >= first && number < first + room)) return;
    this.left = (number < first ? number : number - room + 1) * pitch;
    const wanted = this.left;
    requestAnimationFrame(() => (this.element.scrollLeft = wanted));
  }
}

function dressButton(group, label, act) {
  attr(group, "tabindex", "0");
  attr(group, "role", "button");
  attr(group, "aria-label", label);
  attr(group, "data-lm-suppress-shortcuts", "true");
  group.addEventListener("click", act);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

function makeCell(cell, height, compact) {
  const w = GEOMETRY.cell;
  const tip = draw("title");
  const word = draw("text", { x: 26, y: compact ? 16 : 18, class: "word" });
  const note = compact ? null : draw("text", { x: 9, y: 34, class: "note" });
  const shape = outline(cell.shape, w, height);
  const inner = draw(
    "g",
    { class: "inner" },
    draw("path", { d: shape, class: "box" }),
    draw("path", { d: shape, class: "hatch" }),
    draw("path", { d: detail(cell.shape, w, height), class: "detail" }),
    draw("path", { d: ICONS[cell.shape], class: "icon", transform: `translate(9 ${compact ? 5 : 6.5}) scale(.875)` }),
    word,
    ...(note ? [note] : []),
  );
  return { place: draw("g", {}, tip, inner), inner, tip, word, note, shape: cell.shape, drawn: "" };
}

function removeColumn(column) {
  for (const part of [column.group, column.line, column.stem, column.dots, column.holder]) part.remove();
}

function hatch(id) {
  const pattern = draw(
    "pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    draw("line", { x1: 0, y1: 0, x2: 0, y2: 6 }),
  );
  return draw("defs", {}, pattern);
}

function band(row, y, side) {
  const style = side === "left" ? "x: 1px; width: 300px" : "x: -20px; width: calc(100% + 19px)";
  return draw("rect", { class: `mds-band ${row.kind}`, y: y + 1, height: row.height - 2, rx: 9, style });
}

function rowText(row, y, compact) {
  const first = row.kind === "merged" ? 28 : compact ? 22 : 23;
  const name = draw("text", { x: 14, y: y + first, class: "mds-title" });
  name.textContent = row.title;
  if (compact && row.kind !== "merged") return [name];
  const note = draw("text", { x: 14, y: y + first + 17, class: "mds-note" });
  note.textContent = row.note;
  return [name, note];
}

function tipOf(row) {
  return row.note ? `${row.title}: ${row.note}` : row.title;
}

export function statusText(head) {
  if (head.status === "group") return head.word;
  if (head.status === "served")
    return head.word === "dir" && head.rows.length > 1 ? `dir, ${head.rows.length} layers` : head.word;
  return { hidden: "✕ hidden", absent: "absent", unmounted: "not mounted" }[head.status];
}
