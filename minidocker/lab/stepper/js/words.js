// Words: how the picture names what it shows. The twin of words.py.
const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function sizeText(size) {
  let unit = 1;
  let power = 0;
  while (size >= 1000 * unit && power < UNITS.length - 1) {
    unit *= 1000;
    power += 1;
  }
  const hundredths = Math.floor((size * 100 + Math.floor(unit / 2)) / unit);
  const whole = Math.floor(hundredths / 100);
  const part = hundredths % 100;
  if (whole >= 100 || part === 0) return `${Math.floor((hundredths + 50) / 100)} ${UNITS[power]}`;
  const digits = (whole < 10 ? String(part).padStart(2, "0") : String(Math.floor(part / 10))).replace(/0+$/, "");
  return digits ? `${whole}.${digits} ${UNITS[power]}` : `${whole} ${UNITS[power]}`;
}

export function cutEnd(text, length) {
  const letters = Array.from(text);
  return letters.length <= length ? text : letters.slice(0, length - 1).join("") + "…";
}

export function cutStart(text, length) {
  const letters = Array.from(text);
  return letters.length <= length ? text : "…" + letters.slice(letters.length - length + 1).join("");
}

export function modeText(entry) {
  const mode = ((entry.mode || 0) & 0o7777).toString(8).padStart(4, "0");
  const [uid, gid] = [entry.uid || 0, entry.gid || 0];
  return uid === 0 && gid === 0 ? mode : `${mode} ${uid}:${gid}`;
}

export function madeBy(createdBy) {
  let text = createdBy;
  for (const prefix of ["/bin/sh -c #(nop) ", "/bin/sh -c "])
    if (text.startsWith(prefix)) text = text.slice(prefix.length);
  return text.replaceAll("# buildkit", "").trim();
}

// The shape of an entry's cell, the word on it, the note below the word. `known`: it is known to have been copied up,
// though Linux left no mark of that on it.
export function cellWords(entry, upper, known = false) {
  const copied = known || Boolean(entry.origin);
  if (entry.kind === "dir") return directoryWords(entry, upper, copied);
  if (entry.kind === "file") return fileWords(entry, upper, copied);
  if (entry.kind === "whiteout") return ["whiteout", "whiteout", "hides below"];
  if (entry.kind === "symlink") return ["symlink", "symlink", "→ " + (entry.target || "")];
  if (entry.rdev) return ["device", entry.kind, `device ${entry.rdev[0]}:${entry.rdev[1]}`];
  return ["device", entry.kind, modeText(entry)];
}

function fileWords(entry, upper, copied) {
  const size = sizeText(entry.size || 0);
  const mode = modeText(entry);
  if (!upper) return ["file", size, mode];
  return copied ? ["copied", "copied up", `${size} ${mode}`] : ["new", "new", `${size} ${mode}`];
}

function directoryWords(entry, upper, copied) {
  const mode = `dir ${modeText(entry)}`;
  if (entry.opaque) return ["opaque", "opaque", mode];
  if (entry.redirect) return ["redirect", "moved", "was " + entry.redirect];
  if (!upper) return ["dir", "dir", modeText(entry)];
  return copied ? ["copied-dir", "copied up", mode] : ["new-dir", "new dir", mode];
}

export function counted(number, noun) {
  return number === 1 ? `${number} ${noun}` : `${number} ${noun}s`;
}
