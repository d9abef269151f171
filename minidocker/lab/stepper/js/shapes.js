// Shapes: outlines of cells and icons, as SVG paths. The twin of shapes.py. Each kind has a shape of its own, so that
// none is told by its colour alone.
export const ICONS = {
  file: "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3",
  copied: "M8 13.5V3M3.5 7.5L8 3l4.5 4.5",
  new: "M8 3v10M3 8h10",
  dir: "M1.5 13.5v-11h4.5l1.5 2h7v9z",
  "copied-dir": "M8 13.5V3M3.5 7.5L8 3l4.5 4.5",
  "new-dir": "M8 3v10M3 8h10",
  opaque: "M8 1.5L14.5 8 8 14.5 1.5 8zM4 8h8",
  redirect: "M2 11.5h7a3.5 3.5 0 0 0 0-7H5M7.5 2L5 4.5 7.5 7",
  symlink: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5L7.5 13A3 3 0 0 1 3 8.5L4.5 7",
  device: "M4 4h8v8H4zM6 1.5V4M10 1.5V4M6 12v2.5M10 12v2.5M1.5 6H4M1.5 10H4M12 6h2.5M12 10h2.5",
  whiteout: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  group: "M2 5.5h12v8H2zM4 3h8M5.5 1h5",
};

export function outline(shape, w, h) {
  if (shape === "file" || shape === "copied" || shape === "new") {
    const fold = Math.floor(h / 4);
    return `M6 0H${w - fold}L${w} ${fold}V${h - 6}Q${w} ${h} ${w - 6} ${h}H6Q0 ${h} 0 ${h - 6}V6Q0 0 6 0Z`;
  }
  if (shape === "symlink") {
    const r = h / 2;
    return `M${r} 0H${w - r}A${r} ${r} 0 0 1 ${w - r} ${h}H${r}A${r} ${r} 0 0 1 ${r} 0Z`;
  }
  if (shape === "device") {
    return `M8 0H${w - 8}L${w} 8V${h - 8}L${w - 8} ${h}H8L0 ${h - 8}V8Z`;
  }
  if (shape === "whiteout" || shape === "group") {
    return `M8 0H${w - 8}Q${w} 0 ${w} 8V${h - 8}Q${w} ${h} ${w - 8} ${h}H8Q0 ${h} 0 ${h - 8}V8Q0 0 8 0Z`;
  }
  return `M5 0H34L39 5H${w - 6}Q${w} 5 ${w} 11V${h - 6}Q${w} ${h} ${w - 6} ${h}H6Q0 ${h} 0 ${h - 6}V5Q0 0 5 0Z`;
}

// A second path that some shapes have: the folded corner of a file, the floor that an opaque directory puts in.
export function detail(shape, w, h) {
  const fold = Math.floor(h / 4);
  if (shape === "file" || shape === "copied" || shape === "new") return `M${w - fold} 0V${fold}H${w}`;
  if (shape === "opaque") return `M0 ${h - 1}H${w}`;
  if (shape === "group") return `M8 ${h + 3}H${w - 8}`;
  return "";
}
