// Names: the layer stack for narrow places, one name a line, with who has it from the top down.
import { focusable, icon, node } from "./dom.js";
import { fillColumn, stackStatus } from "./layout.js";
import { statusText } from "./picture.js";
import { ICONS } from "./shapes.js";

export class Names {
  constructor({ onOpen }) {
    this.onOpen = onOpen;
    this.items = [];
    this.element = focusable("ul", {
      class: "mds-names",
      tabindex: "0",
      "aria-label": "Names and the layers that have them",
    });
  }

  show(scene, state, changed, copied) {
    const status = stackStatus(scene, state);
    const stack = [(state.uppers || {})[scene.stack] || {}, ...scene.lowers];
    if (scene !== this.scene) {
      this.scene = scene;
      this.items = scene.columns.map((column) => this.makeItem(column));
      this.element.replaceChildren(...this.items.map((item) => item.element));
    }
    this.items.forEach((item, number) => {
      const filled = fillColumn(scene, stack, number, status, changed, copied);
      const drawn = JSON.stringify(filled);
      if (drawn === item.drawn) return;
      item.drawn = drawn;
      drawItem(item, filled, scene);
    });
    const shown = scene.columns.findIndex((column) => changed.has(column.path) && !column.members.length);
    if (shown >= 0) this.reveal(this.items[shown].element);
  }

  reveal(item) {
    const list = this.element;
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + item.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top + item.offsetHeight - list.clientHeight;
    }
  }

  makeItem(column) {
    const status = node("span", { class: "mds-status" });
    const chips = node("div", { class: "mds-chips" });
    const name = column.members.length
      ? focusable(
          "button",
          { type: "button", class: "mds-open", onclick: () => this.onOpen(column.path) },
          `${column.path}/…`,
        )
      : node("code", {}, column.path);
    return { element: node("li", {}, name, status, chips), status, chips, drawn: "" };
  }
}

function drawItem(item, { head, cells }, scene) {
  item.element.className = head.status;
  item.status.textContent = statusText(head);
  const chips = cells.map((cell) => {
    const serves = head.rows.includes(cell.row);
    const kind = scene.rows[cell.row].kind;
    const names = `mds-chip ${cell.shape} ${kind}${cell.hidden ? " hidden" : ""}${cell.now ? " now" : ""}${serves ? " serves" : ""}`;
    return node(
      "span",
      { class: names, title: cell.note },
      icon(ICONS[cell.shape], 13),
      node("b", {}, cell.word),
      node(
        "small",
        {},
        `${kind === "upper" ? "writable" : scene.rows[cell.row].title}${serves ? " ✓" : cell.hidden ? " (hidden)" : ""}`,
      ),
    );
  });
  item.chips.replaceChildren(...chips);
}
