"""env: print the environment, or run a program with another one."""

from minidocker.programs import launch, stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Change the environment, and print it or become the program that is named."""
    try:
        options = parse(argv, "+iu:0")
    except Usage as usage:
        return await refuse(k, "env", usage, "[-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]")
    words = options.operands
    empty = "i" in options or words[:1] == ["-"]
    words = words[1:] if words[:1] == ["-"] else words
    values = {} if empty else {name: value for name, value in environ.items() if name not in options.all("u")}
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        values[name] = value
    if words:
        return await launch.become(k, words, values, "env: can't execute '{}'")
    end = "\0" if "0" in options else "\n"
    text = "".join(f"{name}={value}{end}" for name, value in values.items())
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text))
    return 0
