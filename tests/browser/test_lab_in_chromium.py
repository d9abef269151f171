"""The lessons in JupyterLab in Chromium: run all, answer a gate, see the stepper open, step it, by keyboard too."""

import os
import pathlib
import re

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright: it is not installed")
from browser import jupyter_lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

SHOTS = os.environ.get("MINIDOCKER_SHOTS")
"""A folder for screenshots, for whoever wants to look."""

GATES = {
    "00-start": (["/shelf/a", "/shelf/c"], "As you predicted"),
    "04-union-file-system": (["x", "z"], "Not as you predicted"),
    "05-copy-on-write": ("1", "Not as you predicted"),
    "07-namespaces": ("2", "Not as you predicted"),
    "08-control-groups": ("25", "As you predicted"),
    "09-a-container-from-nothing": ("none", "As you predicted"),
}
"""What is answered to the first question of each lesson, and the grade."""


VIEWS = {
    "07-namespaces": ("Namespaces", "Mounts"),
    "08-control-groups": ("Control groups", "States"),
    "09-a-container-from-nothing": ("Namespaces", "Network"),
}
"""The view that the first stepper of a lesson opens with, and another one to turn to."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with jupyter_lab.server(tmp_path_factory.mktemp("jupyter"), "sim") as found:
        yield found


@pytest.fixture(params=sorted(GATES))
def page(request, address):
    theme = "JupyterLab Dark" if request.param.startswith("04") else "JupyterLab Light"
    with jupyter_lab.notebook(address, request.param, theme=theme) as found:
        found.lesson = request.param
        complaints = []
        found.on("pageerror", lambda error: complaints.append(str(error)))
        jupyter_lab.run_all(found)
        assert failed_cells(found) == []
        yield found
        shoot(found, "end")
        assert complaints == []


def failed_cells(page):
    """The errors of a notebook's cells, wherever the reader has scrolled to; a cell that has not run is one too."""
    return page.evaluate("""() => {
      const cells = [...jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === 'code');
      const outputs = (cell) => Array.from({length: cell.outputs.length}, (_, n) => cell.outputs.get(n));
      const errors = cells.flatMap(outputs).filter((out) => out.type === 'error').map((out) => out.toJSON().evalue);
      return [...errors, ...cells.filter((cell) => !cell.executionCount).map((cell) => cell.sharedModel.getSource())];
    }""")


def shoot(page, name):
    if SHOTS:
        page.screenshot(path=pathlib.Path(SHOTS) / f"lab-{page.lesson}-{name}.png")


def answer(page, given):
    """Commit an answer to the first question."""
    form = page.locator(".md-predict").first
    form.scroll_into_view_if_needed()
    if isinstance(given, str) and form.locator("input[type=text]").count():
        form.locator("input[type=text]").fill(given)
    elif isinstance(given, str):
        form.get_by_label(given, exact=True).check()
    else:
        for name in given:
            form.get_by_label(name, exact=True).check()
    form.get_by_role("button", name="Commit").click()


def step(stepper):
    return int(stepper.locator("footer input[type=number]").input_value())


def test_a_gate_is_answered_and_the_stepper_opens_and_steps(page):
    given, grade = GATES[page.lesson]
    page.locator(".md-predict").first.wait_for()
    cell = page.locator(".jp-CodeCell", has=page.locator(".md-predict")).first
    gated = cell.locator("xpath=following-sibling::*[contains(@class, 'jp-CodeCell')][1]")
    gated.scroll_into_view_if_needed()
    stepper = gated.locator(".mds")
    stepper.get_by_text("Predict first.").wait_for()
    assert stepper.locator(".mds-calls").count() == 0
    shoot(page, "locked")

    answer(page, given)
    stepper.locator(".mds-calls").wait_for()
    gated.get_by_text(re.compile(grade)).wait_for()
    assert stepper.get_by_text("Predict first.").count() == 0
    assert page.locator(".md-predict").first.get_by_role("button", name="Commit").is_disabled()
    shoot(page, "open")

    stepper.scroll_into_view_if_needed()
    turns_to_views(stepper, *VIEWS.get(page.lesson, ("Layers", "Tasks")))
    steps_through(stepper)


def turns_to_views(stepper, first, other):
    """It opens with the view that the lesson is about; turn to another one, and back."""
    tabs = stepper.get_by_role("navigation", name="Views")
    current = tabs.locator("[aria-current]")
    assert current.inner_text() == first
    for name in (other, first):
        tabs.get_by_role("button", name=name, exact=True).click()
        assert current.inner_text() == name


def steps_through(stepper):
    """First, next, previous, last by button; then by keyboard, which JupyterLab must not take away."""
    buttons = {
        name: stepper.get_by_role("button", name=re.compile(name, re.IGNORECASE)).first
        for name in ("first", "next", "previous", "last")
    }
    slider = stepper.locator("input[type=range]")
    slider.press("Home")
    buttons["last"].click()
    last = step(stepper)
    assert last >= 3
    buttons["previous"].click()
    assert step(stepper) == last - 1
    buttons["first"].click()
    first = step(stepper)
    buttons["next"].click()
    assert step(stepper) == first + 1
    slider.focus()
    slider.press("ArrowRight")
    assert step(stepper) == first + 2
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    assert step(stepper) == first
    slider.press("End")
    assert step(stepper) == last
    assert stepper.locator("svg[role=img]").count() > 0


def test_an_answer_that_is_none_is_refused_in_words(address):
    with jupyter_lab.notebook(address, "05-copy-on-write") as page:
        page.lesson = "05"
        jupyter_lab.run_all(page)
        answer(page, "many")
        page.locator(".md-said").first.get_by_text("is not a number").wait_for()
        assert page.locator(".md-predict").first.get_by_role("button", name="Commit").is_enabled()


def test_a_question_of_the_quiz_opens_its_case(address):
    with jupyter_lab.notebook(address, "05-copy-on-write") as page:
        jupyter_lab.run_all(page)
        page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 1e6")
        form = page.locator(".md-predict").last
        form.scroll_into_view_if_needed()
        quiz = page.locator(".jp-CodeCell", has=page.get_by_text("Quiz(lab, seed=5)"))
        assert quiz.locator(".mds:visible").count() == 0
        form.locator("input[type=radio]").first.check()
        form.get_by_role("button", name="Commit").click()
        stepper = quiz.locator(".mds:visible")
        stepper.locator(".mds-calls").wait_for()
        assert stepper.count() == 1
        steps_through(stepper)


def test_what_waits_behind_an_answer_runs_in_order(address):
    with jupyter_lab.notebook(address, "00-start") as page:
        page.lesson = "00"
        jupyter_lab.run_all(page)
        forms = page.locator(".md-predict")
        forms.nth(2).get_by_label("127").check()
        forms.nth(2).get_by_role("button", name="Commit").click()
        assert page.get_by_text("As you predicted.").count() == 0, "the questions above come first"
        answer(page, ["/shelf/a"])
        forms.nth(1).get_by_label("yes").check()
        forms.nth(1).get_by_role("button", name="Commit").click()
        page.get_by_text("Not as you predicted.").first.wait_for()
        page.get_by_text("exit code 127").first.wait_for()
