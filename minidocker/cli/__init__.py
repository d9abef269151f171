"""The command line: ``minidocker lab``, ``doctor``, ``trace`` and ``compare``."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from minidocker import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the words name, and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    own, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    arguments = _parser().parse_args(own)
    if arguments.needs_command and not command:
        sys.stderr.write(f"minidocker {arguments.name}: say the docker command after --, as in: -- run --rm lab ls /\n")
        return 2
    code: int = arguments.do(arguments, command)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minidocker", description="One Docker engine over two kernels, step by step.")
    parser.add_argument("--version", action="version", version=f"minidocker {__version__}")
    commands = parser.add_subparsers(required=True, dest="name", metavar="COMMAND")
    _command(commands, "lab", _lab, "open the first notebook in JupyterLab").add_argument(
        "arguments", nargs="*", help="more arguments for jupyter lab"
    )
    _command(commands, "doctor", _doctor, "say what this machine's kernel gives the lab, and why not more")
    trace = _command(commands, "trace", _trace, "run a docker command and write its trace", needs_command=True)
    trace.add_argument("--kernel", choices=("sim", "real"), default="sim")
    trace.add_argument(
        "-o", "--output", metavar="FILE", help="FILE.html, FILE.json or FILE.svg; else the calls are printed"
    )
    compare = _command(commands, "compare", _compare, "run a docker command on both kernels", needs_command=True)
    for command in (trace, compare):
        command.add_argument(
            "--load", metavar="FILE", action="append", default=[], help="an image archive to load first"
        )
        command.add_argument(
            "--programs",
            choices=("lab", "elf"),
            default="elf",
            help="which program a machine's binary of an image is on the real kernel: the lab's of its name, or itself",
        )
    return parser


def _command(commands: Any, name: str, do: Any, text: str, *, needs_command: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(do=do, needs_command=needs_command)
    return parser


def _lab(arguments: argparse.Namespace, _: list[str]) -> int:
    from minidocker.cli import lab  # noqa: PLC0415

    return lab.run(arguments.arguments)


def _doctor(_arguments: argparse.Namespace, _: list[str]) -> int:
    from minidocker.cli import doctor  # noqa: PLC0415

    return doctor.run()


def _trace(arguments: argparse.Namespace, command: list[str]) -> int:
    from minidocker.cli import trace  # noqa: PLC0415

    return trace.run(arguments, command)


def _compare(arguments: argparse.Namespace, command: list[str]) -> int:
    from minidocker.cli import compare  # noqa: PLC0415

    return compare.run(arguments, command)
