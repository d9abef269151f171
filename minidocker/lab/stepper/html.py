"""Html: a trace as one page that steps with no kernel and no network."""

import html
import json
from typing import Any, Final

from minidocker.lab.stepper import source
from minidocker.trace import INSIDE, Trace

#: Nothing may be loaded from anywhere: the page has all that it needs.
_POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

_PAGE_STYLE: Final = "html{color-scheme:light dark}body{margin:0;padding:16px;background:light-dark(#fff,#0c1015)}\
main{max-width:1240px;margin:auto}"

#: The model that anywidget would give, without a kernel behind it.
_MODEL: Final = """
const values = JSON.parse(document.getElementById("trace").textContent);
const listeners = {};
const model = {
  get: (name) => values[name],
  set: (name, value) => {
    values[name] = value;
    for (const listener of listeners[`change:${name}`] || []) listener();
  },
  save_changes: () => {},
  on: (event, listener) => (listeners[event] ||= []).push(listener),
};
stepper.render({ model, el: document.querySelector("main") });
"""


def to_html(
    trace: Trace,
    *,
    index: int = -1,
    zoom: int = INSIDE,
    view: str = "",
    comparison: dict[str, Any] | None = None,
    title: str = "",
) -> str:
    """Return the page: one file, which can be mailed, opened from a disk, and read in ten years."""
    shown = {"index": index, "zoom": zoom, "view": view}
    values = {"trace": trace.to_json(), **shown, "locked": False, "comparison": comparison}
    name = html.escape(title or f"{trace.command} · stepped")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{name}</title>
<style>{_PAGE_STYLE}
{source.style()}</style>
</head>
<body>
<main></main>
<noscript>This page steps by JavaScript, which is switched off.</noscript>
<script id="trace" type="application/json">{script_json(values)}</script>
<script type="module">
{source.script()}
{_MODEL}</script>
</body>
</html>
"""


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: no ``<`` can end it, or begin a comment."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
