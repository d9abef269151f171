"""Ask: a prediction's form in a notebook: the question, a control, and a button that commits the answer."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from minidocker.lab.display import block, escape, publish
from minidocker.lab.prediction import Prediction, question_html

Later = Callable[[str, Callable[[], None]], None]


def form(asked: Prediction, later: Later) -> None:
    """Show the form. ``later`` runs what the click asks for, and shows what goes wrong in it."""
    question = widgets.HTML(block(question_html(asked)))
    control, value = _control(asked)
    button = widgets.Button(description="Commit", tooltip="Commit the answer; then it runs", button_style="primary")
    said = widgets.HTML()
    said.add_class("md-said")

    def refuse(error: ValueError) -> None:
        said.value = block(f'<span class="md-note">{escape(error)}</span>')

    def close() -> None:
        for widget in (control, *getattr(control, "children", ()), button):
            widget.disabled = True
        said.value = block(f'<span class="md-note">Committed: <code>{escape(asked.words(asked.given))}</code></span>')

    def clicked(_: Any) -> None:
        later("after your answer", commit)

    def commit() -> None:
        try:
            asked.then(close)
            asked.commit(value())
        except ValueError as error:
            if asked.committed:
                raise
            refuse(error)

    button.on_click(clicked)
    box = widgets.VBox([question, control, widgets.HBox([button, said])])
    box.add_class("md-predict")
    if asked.committed:
        close()
    publish(box)


def _control(asked: Prediction) -> tuple[Any, Callable[[], Any]]:
    """Return the widget and a function that gives what it says."""
    wide = widgets.Layout(width="max-content", max_width="100%")
    if asked.choices:
        choice = widgets.RadioButtons(options=asked.choices, value=asked.given, layout=wide)
        return choice, lambda: "" if choice.value is None else choice.value
    if asked.several:
        boxes = [
            widgets.Checkbox(value=name in (asked.given or ()), description=name, indent=False)
            for name in asked.several
        ]
        return widgets.VBox(boxes), lambda: [box.description for box in boxes if box.value]
    given = "" if asked.given is None else str(asked.given)
    field = widgets.Text(value=given, placeholder=f"a number, of {asked.unit}" if asked.unit else "in a few words")
    return field, lambda: field.value
