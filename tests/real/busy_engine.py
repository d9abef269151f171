"""A lab that is busy with containers until it is killed: `python -m tests.real.busy_engine SEED`.

It prints its helper's pid once it is ready. Containers with limits and networks are started, asked things, paused,
stopped and removed, as a seed decides; some run the lab's programs, some this machine's busybox.
"""

import random
import sys

from minidocker.client.docker import Docker
from minidocker.hosts import open_host

LIMITS = ([], ["-m", "32m"], ["--pids-limit", "20"], ["--cpus", "0.5", "-m", "64m", "--pids-limit", "50"])
NETWORKS = ([], [], ["--network", "none"], ["--network", "host"])
PROGRAMS = (
    "true",
    "exec sleep 100",
    "sleep 100 & sleep 100 & echo a > /file; cat /etc/motd; wait",
    "i=0; while test $i -lt 200; do echo $i > /file-$i; i=$((i+1)); done",
    "while true; do :; done",
)


def work(docker: Docker, choose: random.Random) -> None:
    """Do one of the things that people do with containers."""
    running = docker(["ps", "-q"]).stdout.decode().split()
    if len(running) < 4:
        words = [
            "run",
            "-d",
            *choose.choice(LIMITS),
            *choose.choice(NETWORKS),
            "lab",
            "sh",
            "-c",
            choose.choice(PROGRAMS),
        ]
    else:
        words = choose.choice([["rm", "-f"], ["rm", "-f"], ["pause"], ["unpause"], ["kill"], ["update", "-m", "48m"]])
        words = [*words, choose.choice(running)]
    docker(words)
    if running and choose.random() < 0.3:
        docker(["exec", choose.choice(running), "sh", "-c", "echo $$ > /exec; ls /proc | wc -l"])


def main(seed: int) -> None:
    """Work, until somebody kills this process or its helper."""
    choose = random.Random(seed)
    host = open_host("real", seed=seed, size_bytes=64 << 20)
    docker = Docker(host.engine)
    print(host.kernel.pid, flush=True)
    if seed % 4 == 0:
        host.kernel.listener = lambda event: None
    while True:
        work(docker, choose)


if __name__ == "__main__":
    main(int(sys.argv[1]))
