"""The tree of errors: each kind's HTTP status and exit code, and Docker's words as it was recorded saying them."""

import json
from typing import Any

import pytest
import rights

from minidocker import errors
from minidocker.errors import (
    Conflict,
    EngineError,
    InvalidArchive,
    InvalidParameter,
    InvalidReference,
    NameConflict,
    NoSuchContainer,
    NoSuchImage,
    ServerError,
    StartError,
)

RECORDINGS = rights.ROOT.parent / "shared" / "docker-reference" / "recordings"


@pytest.mark.parametrize(
    ("kind", "status"),
    [(InvalidParameter, 400), (InvalidReference, 400), (Conflict, 409), (ServerError, 500), (InvalidArchive, 500)],
)
def test_status(kind: type[EngineError], status: int) -> None:
    error = kind("it does not work", hint="try that", path="/a")
    assert (error.status, error.exit_code, str(error), error.hint) == (status, 125, "it does not work", "try that")
    assert error.data == {"path": "/a"}


def test_all_are_engine_errors() -> None:
    assert all(issubclass(getattr(errors, name), EngineError) for name in errors.__all__)


def test_only_archives_fail_in_the_stream() -> None:
    """And what the client refuses itself is no daemon's answer at all."""
    assert [name for name in errors.__all__ if getattr(errors, name).in_stream] == ["ClientError", "InvalidArchive"]


SAID = [
    ("051-rmi-unknown", NoSuchImage("nothing:here")),
    ("029-stop-unknown", NoSuchContainer("xxxx")),
    ("068-run-name-conflict", NameConflict("dup", "bc79b74abeb610207c60d97cb1cbdc28c15cfdab2486a1707f4317ef4b8929ec")),
    (
        "010-run-bash-missing",
        StartError('exec: "/bin/bash": stat /bin/bash: no such file or directory', exit_code=127),
    ),
    ("064-run-not-found", StartError('exec: "no-such-program": executable file not found in $PATH', exit_code=127)),
    ("065-run-not-executable", StartError('exec: "/etc/passwd": permission denied', exit_code=126)),
]


@pytest.mark.parametrize(("recording", "error"), SAID, ids=[name for name, _ in SAID])
def test_real_docker_said_so(recording: str, error: EngineError) -> None:
    path = RECORDINGS / f"{recording}.json"
    if not path.exists():
        pytest.skip(f"needs recordings: {RECORDINGS} is not there")
    said = json.loads(path.read_text())
    assert (error.status, error.message) in answers(said)
    if isinstance(error, StartError):
        assert said["exit_code"] == error.exit_code


def answers(recording: dict[str, Any]) -> list[tuple[int, str]]:
    exchanges = recording["exchanges"]
    bodies = [(exchange.get("status"), (exchange.get("response_body") or {}).get("json")) for exchange in exchanges]
    return [(status, body["message"]) for status, body in bodies if isinstance(body, dict) and "message" in body]
