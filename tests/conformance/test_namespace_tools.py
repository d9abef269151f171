"""unshare, nsenter, ipcs, ipcmk and ipcrm in a privileged container, on both kernels, in util-linux's words."""

import pytest
import rights

from minidocker.hosts import open_host
from minidocker.sim import SimKernel

QUEUES = "\n------ Message Queues --------\nkey        msqid      owner      perms      used-bytes   messages    \n"
SEGMENTS = (
    "\n------ Shared Memory Segments --------\n"
    "key        shmid      owner      perms      bytes      nattch     status      \n"
)
SEMAPHORES = "\n------ Semaphore Arrays --------\nkey        semid      owner      perms      nsems     \n"
ONE = "KEY        0          root       640        1000       0                       "
FILE = "/proc/self/timens_offsets"
RANGE = "Numerical result out of range"
OFFSETS = "monotonic  {:>10}         0\nboottime   {:>10}         0\n"
TRY = "Try '{0} --help' for more information.\n"

CASES = [
    ("hostname before; unshare -u sh -c 'hostname inside; hostname'; hostname", "inside\nbefore\n", ""),
    ("unshare -p -f --mount-proc sh -c 'echo $$; ls -d /proc/[0-9]*'", "1\n/proc/1\n", ""),
    ("unshare -r id; id -u", "uid=0(root) gid=0(root)\n0\n", ""),
    ("unshare -U id -u", "65534\n", ""),
    ("unshare -c cat /proc/self/uid_map /proc/self/setgroups", "         0          0          1\ndeny\n", ""),
    ("unshare -U --setgroups=deny cat /proc/self/setgroups", "deny\n", ""),
    ("unshare -r hostname y", "", "hostname: sethostname: Operation not permitted\n"),
    ("unshare -ru sh -c 'hostname y; hostname'", "y\n", ""),
    ("unshare -f sh -c 'exit 7'; echo $?", "7\n", ""),
    ("unshare -f sh -c 'kill -TERM $$'; echo $?", "143\n", "Terminated\n"),
    ("unshare -m nothere; echo $?", "127\n", "unshare: failed to execute nothere: No such file or directory\n"),
    ("unshare -Z; echo $?", "1\n", "unshare: invalid option -- 'Z'\n" + TRY.format("unshare")),
    ("unshare --propagation odd -m true", "", "unshare: unsupported propagation mode: odd\n" + TRY.format("unshare")),
    ("unshare -u sh -c 'hostname there; sleep 9' & sleep 0.3; nsenter -t $! -u hostname; kill $!", "there\n", ""),
    ("unshare -T --boottime 50 --monotonic=7 cat /proc/self/timens_offsets", OFFSETS.format(7, 50), ""),
    ("unshare -T --boottime 3000000000 cat /proc/uptime | cut -c1-2", "30\n", ""),
    (f"unshare -fT --boottime 5 sh -c 'echo 7 6 0 > {FILE}'", "", "sh: write error: Permission denied\n"),
    ("unshare -T --boottime -9999999999 true", "", f"unshare: failed to write to {FILE}: {RANGE}\n"),
    ("unshare -T --boottime=soon true", "", "unshare: failed to parse boottime offset: 'soon'\n"),
    (
        "unshare --boottime 5 true",
        "",
        "unshare: options --monotonic and --boottime require unsharing of a time namespace (-t)\n",
    ),
    (
        "unshare -T --boottime 50 sleep 9 & sleep 0.3; nsenter -T -t $! cat /proc/self/timens_offsets; kill $!",
        OFFSETS.format(0, 50),
        "",
    ),
    ("nsenter -t 9999 -m true", "", "nsenter: cannot open /proc/9999/ns/mnt: No such file or directory\n"),
    ("nsenter -m true", "", "nsenter: neither filename nor target pid supplied for ns/mnt\n"),
    ("nsenter -t x -m", "", "nsenter: failed to parse pid: 'x'\n"),
    ("nsenter -a -t $$ echo all", "all\n", ""),
    ("nsenter --uts=/proc/1/ns/uts echo by file", "by file\n", ""),
    ("ipcs", f"{QUEUES}{SEGMENTS}{SEMAPHORES}\n", ""),
    ("ipcmk -Q; ipcrm -q 0; ipcrm -q 0", "Message queue id: 0\n", "ipcrm: invalid id (0)\n"),
    (
        "ipcmk -M 1000 -p 0640; ipcs -m | sed 's/0x[0-9a-f]*/KEY       /'; unshare -i ipcs -m; ipcrm -a",
        f"Shared memory id: 0\n{SEGMENTS}{ONE}\n\n{SEGMENTS}\n",
        "",
    ),
    ("ipcrm -Q 0x5", "", "ipcrm: invalid key (0x5)\n"),
    ("ipcrm -q x", "", "ipcrm: failed to parse argument: 'x'\n"),
    ("ipcmk", "", "ipcmk: bad usage\n" + TRY.format("ipcmk")),
    ("ipcmk -M x", "", "ipcmk: failed to parse size: 'x': Invalid argument\n"),
    ("ipcs -x", "", "ipcs: invalid option -- 'x'\n" + TRY.format("ipcs")),
]  # fmt: skip


@pytest.fixture(scope="module", params=["sim", "real"])
def host(request):
    if request.param == "real":
        rights.require("root")
    host = open_host(request.param, programs="lab")
    yield host
    host.close()


@pytest.mark.parametrize(("line", "stdout", "stderr"), CASES)
def test_tool(host, line, stdout, stderr):
    if "boottime" in line and not isinstance(host.kernel, SimKernel):
        rights.require("time-namespaces")
    outcome = host.docker(["run", "--rm", "--privileged", "lab", "sh", "-c", line])
    assert (outcome.stdout, outcome.stderr) == (stdout, stderr)
