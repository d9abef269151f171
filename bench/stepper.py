"""One step of the stepper, in Chromium: the update by script, and with the layout that it makes necessary."""

from collections.abc import Sequence

from bench import subjects
from bench.measure import Row, within
from minidocker.lab.stepper import to_html
from minidocker.trace import Trace
from tests import rights
from tests.lab.sample_trace import big_trace

STEPS = 300

MEASURE = """
async (count) => {
  const slider = document.querySelector("input[type=range]");
  const last = Number(slider.max);
  const times = { update: [], layout: [] };
  for (let number = 0; number < count; number++) {
    // Forwards, backwards, and every seventh time a jump.
    const turn = number % (2 * last);
    const place = number % 7 === 6 ? (number * 31) % (last + 1) : turn <= last ? turn : 2 * last - turn;
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    slider.value = String(place);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const updated = performance.now();
    document.body.getBoundingClientRect();
    for (const part of document.querySelectorAll("svg")) part.getBoundingClientRect();
    const laidOut = performance.now();
    times.update.push(updated - start);
    times.layout.push(laidOut - start);
  }
  return times;
}
"""


def rows() -> list[Row]:
    """Measure traces of the size of a lesson's, and a large one."""
    subjects.need("chromium")
    small, large = big_trace(steps=60, layers=30), big_trace()
    return [*stepped("60 steps, 30 layers", small), *stepped(f"{len(large):,} steps, 30 layers, 500 names", large)]


def stepped(name: str, trace: Trace) -> list[Row]:
    """Open the trace's page and step through it."""
    times = measured(to_html(trace))
    return [
        within(f"stepper, {name}: update", times["update"], at_most_s=0.004),
        within(f"stepper, {name}: update and layout", times["layout"], at_most_s=0.016),
    ]


def measured(page_source: str) -> dict[str, Sequence[float]]:
    """Step in a headless Chromium; give seconds. Its clock is exact to 0.1 ms."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=rights.chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_content(page_source)
        page.wait_for_selector("input[type=range]")
        found = page.evaluate(MEASURE, STEPS)
        browser.close()
    assert not errors, errors
    return {name: [time_ms / 1000 for time_ms in times] for name, times in found.items()}
