"""The stepper in Chromium: what a step costs the browser, without and with layout."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.measure import MissingRightError, Row, within
from bench.subjects import need
from minidocker.lab.stepper import to_html
from minidocker.lab.stepper.views import VIEWS
from tests import rights
from tests.lab.isolation_trace import many_trace
from tests.lab.sample_trace import big_trace

#: Steps through the whole trace forwards and then backwards, and times each; with layout: until boxes have places.
_WALK = """(withLayout) => {
  const [next, back] = ["Next", "Previous"].map((name) => document.querySelector(`[aria-label='${name} step']`));
  const total = Number(document.querySelector(".mds-jump").max);
  const card = document.querySelector(".mds");
  const samples = [];
  for (let n = 0; n < 2 * total; n += 1) {
    const button = n < total ? next : back;
    const start = performance.now();
    button.click();
    if (withLayout) card.getBoundingClientRect();
    samples.push((performance.now() - start) / 1000);
    card.getBoundingClientRect();
  }
  return samples;
}"""


def rows() -> list[Row]:
    """Measure 60 steps on 30 layers and 100 names, and 1,000 steps on 30 layers and 500 names."""
    small, large = to_html(big_trace(60, 30, 100)), to_html(big_trace(1000, 30, 500))
    with _browser() as browser:
        return [
            within("stepper update, 60 steps, 30 layers, 100 names", _walk(browser, small, False), at_most_s=0.004),
            within("… with layout", _walk(browser, small, True), at_most_s=0.016),
            within("stepper update, 1,000 steps, 30 layers, 500 names", _walk(browser, large, False), at_most_s=0.004),
            within("… with layout", _walk(browser, large, True), at_most_s=0.016),
            *_views(browser),
        ]


def _views(browser: Any) -> list[Row]:
    """Measure the views that are drawings, of a dozen containers."""
    trace = many_trace()
    found = []
    for view in VIEWS:
        page = to_html(trace, view=view)
        told = f"{view} of 12 containers, {len(trace)} steps"
        found.append(within(f"stepper update, {told}", _walk(browser, page, False), at_most_s=0.004))
        found.append(within("… with layout", _walk(browser, page, True), at_most_s=0.016))
    return found


def _walk(browser: Any, page: str, with_layout: bool) -> list[float]:
    """Return the seconds that each step took in a page of its own, after one walk that does not count."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        opened.goto(file.as_uri())
        opened.wait_for_selector(".mds footer")
        opened.evaluate(_WALK, with_layout)
        samples: list[float] = opened.evaluate(_WALK, with_layout)
    opened.close()
    return samples


@contextmanager
def _browser() -> Iterator[Any]:
    need("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MissingRightError("playwright is not installed") from None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=rights.chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()
