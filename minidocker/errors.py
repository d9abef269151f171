"""The engine's errors: one small tree. Each knows its HTTP status, the exit code of ``docker run``, and a hint.

The words are Docker's own. Nobody reads them to decide anything: whoever handles an error looks at its class and data.
"""

from typing import Any, ClassVar

__all__ = [
    "ClientError",
    "Conflict",
    "EngineError",
    "ExecError",
    "InvalidArchive",
    "InvalidParameter",
    "InvalidReference",
    "NameConflict",
    "NoSuchContainer",
    "NoSuchImage",
    "NoSuchNetwork",
    "NotFound",
    "ServerError",
    "StartError",
    "UpdateConflict",
]


class EngineError(Exception):
    """What the engine could not do. ``str(error)`` is Docker's message, ``hint`` what was probably meant, or empty.

    ``data`` has the values the message was made of, ``status`` is the HTTP status of the Engine API's answer, and
    ``exit_code`` what ``docker run`` ends with (125: the engine's own failure). ``in_stream`` is true where the API
    reports the error inside an answer that had begun well, which the client prints without "Error response from
    daemon:".
    """

    status: ClassVar[int] = 500
    in_stream: ClassVar[bool] = False
    exit_code: int = 125

    def __init__(self, message: str, *, hint: str = "", **data: Any) -> None:
        """Take Docker's message, a learner's hint, and the values behind them."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data


class InvalidParameter(EngineError):
    """The request itself is wrong (400)."""

    status = 400


class ClientError(InvalidParameter):
    """What the client itself refuses, before it asks the daemon."""

    in_stream = True


class InvalidReference(InvalidParameter):
    """What should name an image does not (400). ``data["reference"]`` is what was given."""


class NotFound(EngineError):
    """Something that was named is not there (404)."""

    status = 404


class NoSuchImage(NotFound):
    """No image has this name or ID (404)."""

    def __init__(self, reference: str, *, hint: str = "") -> None:
        """Name the image as the learner would: ``busybox:latest``, not ``docker.io/library/busybox:latest``."""
        super().__init__(f"No such image: {reference}", hint=hint, reference=reference)


class NoSuchContainer(NotFound):
    """No container has this name or ID (404)."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        """Name the container as it was asked for."""
        super().__init__(f"No such container: {name}", hint=hint, name=name)


class NoSuchNetwork(NotFound):
    """No network has this name (404)."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        """Name the network as it was asked for."""
        super().__init__(f"network {name} not found", hint=hint, name=name)


class Conflict(EngineError):
    """It cannot be done in the state that things are in (409)."""

    status = 409


class NameConflict(Conflict):
    """Another container has the name (409)."""

    def __init__(self, name: str, container_id: str) -> None:
        """Take the name without its slash, and the whole ID of the container that has it."""
        super().__init__(
            f'Conflict. The container name "/{name}" is already in use by container "{container_id}". '
            "You have to remove (or rename) that container to be able to reuse that name.",
            hint=f"docker rm {name} removes the old one; a container that has exited still has its name.",
            name=name,
            container_id=container_id,
        )


class UpdateConflict(Conflict):
    """A container's limits cannot be changed so (409, in docker's client an exit code of 1)."""

    def __init__(self, container_id: str, reason: str, *, hint: str = "") -> None:
        """Take the whole ID and what speaks against it."""
        super().__init__(f"Cannot update container {container_id}: {reason}", hint=hint, reason=reason)


class ServerError(EngineError):
    """The engine, or the kernel below it, failed (500)."""


class InvalidArchive(ServerError):
    """An image archive, or a layer in it, is corrupt or not to be trusted (500, told inside the answer)."""

    in_stream = True


class StartError(EngineError):
    """A container's program could not be started (400): ``exit_code`` 127 if it is not there, 126 if it cannot run."""

    status = 400

    def __init__(self, reason: str, *, exit_code: int, hint: str = "", **data: Any) -> None:
        """Take what runc says after ``unable to start container process:``, as ``exec: "/x": permission denied``."""
        super().__init__(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: "
            f"runc create failed: unable to start container process: {reason}: unknown",
            hint=hint,
            reason=reason,
            **data,
        )
        self.exit_code = exit_code


class ExecError(EngineError):
    """A program could not be started in a running container; docker exec ends with 126 whatever the reason."""

    status = 400
    exit_code = 126

    def __init__(self, reason: str, *, hint: str = "") -> None:
        """Take what runc says after ``exec failed:``."""
        super().__init__(f"OCI runtime exec failed: exec failed: {reason}: unknown", hint=hint, reason=reason)
