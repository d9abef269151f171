// Runs tests in Pyodide: CPython compiled to WebAssembly, on Node, with no Linux that Python could reach.
//
//   npm test -- [pytest arguments]     (package.json: node needs a larger stack, for Python's is on it)
//
// The project and its node_modules/site-packages are mounted into Pyodide's own file system; inside.py does the rest.
// The last line printed is JSON: {"exit_code": …, "passed": …, "failed": …, "skipped": …}.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";

const here = dirname(fileURLToPath(import.meta.url));
const mounts = { "/minidocker": join(here, "..", ".."), "/site-packages": join(here, "node_modules", "site-packages") };

const python = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });
for (const [inside, root] of Object.entries(mounts)) {
  python.FS.mkdirTree(inside);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, inside);
}
python.globals.set("arguments", python.toPy(process.argv.slice(2)));
const result = python.runPython(`
import os, sys
sys.path[:0] = ["/minidocker", "/minidocker/tests/pyodide", "/site-packages"]
os.chdir("/minidocker")
import inside
inside.run(arguments)
`);
console.log(result);
process.exit(JSON.parse(result).exit_code);
