"""Facts: what a prediction is graded against. Each is found in what ran, never in a key, and says where to look.

A fact function takes what ran: something with a ``trace`` (a :class:`minidocker.lab.run.Run`, a
:class:`minidocker.lab.union.Union`), or several of them.
"""

from minidocker.lab.facts.containers import (
    changed_line,
    cpu_percent,
    differing_lines,
    ended,
    ended_soon,
    joined_lines,
    joined_network,
    last_word,
    pid_in_ps,
    root_outside,
    says,
    still_runs,
    who_has_mount,
)
from minidocker.lab.facts.fact import Fact, FactOf, agreement, answer, at_least, exit_code, result_of, stdout
from minidocker.lab.facts.layers import (
    image_bytes,
    in_upper,
    left,
    names_in,
    served_by,
    server,
    serving,
    stack_of,
    subject,
    upper_bytes,
    upper_names,
    word,
)

__all__ = [
    "Fact", "FactOf", "agreement", "answer", "at_least", "changed_line", "cpu_percent",
    "differing_lines", "ended", "ended_soon", "exit_code", "image_bytes", "in_upper", "joined_lines", "joined_network",
    "last_word", "left", "names_in", "pid_in_ps", "result_of", "root_outside", "says", "served_by",
    "server", "serving", "stack_of", "stdout", "still_runs", "subject", "upper_bytes", "upper_names",
    "who_has_mount", "word",
]  # fmt: skip
