"""What cases of docker's commands ask of a host."""


def namespace(host, container, kind):
    """Return which namespace of a kind a running container is in, as the host sees it."""
    return host.kernel.readlink(f"/proc/{host.engine.find(container).pid}/ns/{kind}")


def own_namespace(host, kind):
    """Return which namespace of a kind the host's side itself is in."""
    return host.kernel.readlink(f"/proc/self/ns/{kind}")


def remove_all(host):
    """Remove every container."""
    for container in list(host.engine.containers.values()):
        host.engine.remove(container, force=True)


def said(host, line):
    """Return what a command prints on standard output; it must succeed."""
    outcome = host.docker(line)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome.stdout
