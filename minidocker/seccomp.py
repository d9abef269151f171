"""Seccomp: which system calls a container's programs may make (seccomp(2), docs.docker.com/engine/security/seccomp).

A policy is a list of what is allowed, all else being EPERM. :data:`DEFAULT` says what Docker 26 allows, in the format
of its profiles: a rule may hold only with a capability, or on a machine, and may look at a call's arguments. (Facts
from the default profile of github.com/moby/moby, profiles/seccomp, Apache-2.0; the grouping is ours.) :func:`resolve`
makes of a profile the plain list that seccomp(2) of the port takes.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from minidocker.errors import InvalidParameter

ALLOW: Final = "SCMP_ACT_ALLOW"
ERRNO: Final = "SCMP_ACT_ERRNO"
_EPERM: Final = 1
_ENOSYS: Final = 38
#: The clone flags that make namespaces: CLONE_NEW*, all but NEWTIME, which clone(2) cannot take.
_NEW_NAMESPACES: Final = 0x7E020000
_AF_VSOCK: Final = 40

_FILES: Final = """
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl
    fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
    fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
    inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup
    io_submit ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek lremovexattr lseek lsetxattr
    lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64
    preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat
    renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync
    sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes
    vmsplice write writev
"""
_TASKS: Final = """
    alarm capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv
    futex_wake get_robust_list get_thread_area getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
    getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit
    getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self membarrier pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease
    restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
    setreuid setreuid32 setrlimit setsid setuid setuid32 sigaltstack signalfd signalfd4 sigprocmask sigreturn tgkill
    times tkill ugetrlimit vfork wait4 waitid waitpid
"""
_MEMORY: Final = """
    brk cachestat madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
    mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
_NETWORK_AND_IPC: Final = """
    accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
    epoll_wait epoll_wait_old eventfd eventfd2 getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify
    mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv
    msgsnd _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 recv recvfrom recvmmsg recvmmsg_time64
    recvmsg select semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat
    shmctl shmdt shmget shutdown socketcall socketpair
"""
_TIME_AND_SYSTEM: Final = """
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getcpu getitimer getrandom gettimeofday nanosleep setitimer sysinfo time
    timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 uname
"""
#: What becomes allowed with a capability; without it the kernel would refuse most of it anyway, but look first.
_WITH: Final = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}
_ON: Final = {
    "amd64": "arch_prctl modify_ldt",
    "386": "modify_ldt",
    "arm": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "arm64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "ppc64le": "sync_file_range2 swapcontext",
    "riscv64": "riscv_flush_icache",
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
}
#: Execution domains that are Linux's own: PER_LINUX, PER_LINUX32, with and without UNAME26, and the question.
_PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)


def _rule(names: str, action: str = ALLOW, **more: Any) -> dict[str, Any]:
    return {"names": names.split(), "action": action, **more}


def _when(index: int, operator: str, value: int, value_two: int = 0) -> dict[str, Any]:
    return {"index": index, "value": value, "valueTwo": value_two, "op": operator}


#: Docker's default profile.
DEFAULT: Final[Mapping[str, Any]] = {
    "defaultAction": ERRNO,
    "defaultErrnoRet": _EPERM,
    "syscalls": [
        _rule(_FILES + _TASKS + _MEMORY + _NETWORK_AND_IPC + _TIME_AND_SYSTEM),
        _rule("process_vm_readv process_vm_writev ptrace", includes={"minKernel": "4.8"}),
        _rule("socket", args=[_when(0, "SCMP_CMP_NE", _AF_VSOCK)]),
        *(_rule("personality", args=[_when(0, "SCMP_CMP_EQ", value)]) for value in _PERSONALITIES),
        *(_rule(names, includes={"arches": [arch]}) for arch, names in _ON.items()),
        *(_rule(names, includes={"caps": [capability]}) for capability, names in _WITH.items()),
        _rule("clone", args=[_when(0, "SCMP_CMP_MASKED_EQ", _NEW_NAMESPACES)], excludes={"caps": ["CAP_SYS_ADMIN"]}),
        # clone3's flags lie in memory, where a filter cannot look: ENOSYS makes the C library use clone.
        _rule("clone3", ERRNO, errnoRet=_ENOSYS, excludes={"caps": ["CAP_SYS_ADMIN"]}),
    ],
}


def resolve(profile: Mapping[str, Any], *, caps: Collection[str], arch: str, release: str) -> dict[str, Any]:
    """Return a profile's policy for a container: rules that hold, without their conditions (OCI's LinuxSeccomp)."""
    rules = [
        {key: value for key, value in rule.items() if key not in ("includes", "excludes", "comment")}
        for rule in profile.get("syscalls") or ()
        if _holds(rule, caps, arch, release)
    ]
    policy = {"defaultAction": profile["defaultAction"], "syscalls": rules}
    if "defaultErrnoRet" in profile:
        policy["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return policy


def _holds(rule: Mapping[str, Any], caps: Collection[str], arch: str, release: str) -> bool:
    include, exclude = rule.get("includes") or {}, rule.get("excludes") or {}
    wanted, hindering = include.get("caps") or (), exclude.get("caps") or ()
    arches, but = include.get("arches") or (), exclude.get("arches") or ()
    return (
        all(capability in caps for capability in wanted)
        and not any(capability in caps for capability in hindering)
        and (not arches or arch in arches)
        and arch not in but
        and _version(release) >= _version(include.get("minKernel") or "0.0")
        and not ("minKernel" in exclude and _version(release) >= _version(exclude["minKernel"]))
    )


def _version(text: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def parse(text: str) -> Mapping[str, Any]:
    """Return the profile in a file that ``--security-opt seccomp=`` named; InvalidParameter if it is none."""
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    if not isinstance(profile, dict) or not isinstance(profile.get("defaultAction"), str):
        raise InvalidParameter("Decoding seccomp profile failed: no defaultAction")
    for rule in profile.get("syscalls") or ():
        if not isinstance(rule, dict) or not isinstance(rule.get("names"), list):
            raise InvalidParameter("Decoding seccomp profile failed: a rule without names")
    return profile


def verdict(policy: Mapping[str, Any], name: str, args: Sequence[int]) -> int:
    """Return what a policy says of a call, as the kernel's filter would: 0 to let it pass, else the errno.

    A rule that looks at an argument which is not given here (a path, a buffer) does not hold. Actions other than
    allowing and refusing are not modelled: ValueError.
    """
    for rule in policy["syscalls"]:
        if name in rule["names"] and all(_matches(condition, args) for condition in rule.get("args") or ()):
            return _errno(rule["action"], rule.get("errnoRet"))
    return _errno(policy["defaultAction"], policy.get("defaultErrnoRet"))


def conditions(policy: Mapping[str, Any], name: str) -> bool:
    """Does the verdict on a call depend on its arguments?"""
    return any(name in rule["names"] and rule.get("args") for rule in policy["syscalls"])


def _errno(action: str, number: int | None) -> int:
    if action == ALLOW:
        return 0
    if action != ERRNO:
        message = f"action {action}"
        raise ValueError(message)
    return _EPERM if number is None else number


def _matches(condition: Mapping[str, Any], args: Sequence[int]) -> bool:
    index, value, mask = condition["index"], condition["value"], condition.get("valueTwo", 0)
    if index >= len(args) or not isinstance(args[index], int):
        return False
    given = args[index] & 0xFFFFFFFFFFFFFFFF
    match condition["op"]:
        case "SCMP_CMP_EQ":
            return given == value
        case "SCMP_CMP_NE":
            return given != value
        case "SCMP_CMP_MASKED_EQ":
            return given & value == mask
        case "SCMP_CMP_LT":
            return given < value
        case "SCMP_CMP_LE":
            return given <= value
        case "SCMP_CMP_GE":
            return given >= value
        case "SCMP_CMP_GT":
            return given > value
    message = f"operator {condition['op']}"
    raise ValueError(message)


def names(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield the calls that a policy names."""
    for rule in policy["syscalls"]:
        yield from rule["names"]
