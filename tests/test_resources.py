"""What docker's client parses of limits, and what the daemon says to them: in real Docker's words and order."""

import pytest

from minidocker.errors import InvalidParameter, UpdateConflict
from minidocker.resources import (
    Resources,
    Support,
    adapt,
    check,
    merged,
    parse_bytes,
    parse_cpus,
    parse_cpus_list,
    parse_int,
    parse_swap,
)

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64m", 64 * MB), ("64M", 64 * MB), ("64mb", 64 * MB), ("64MiB", 64 * MB), ("64 m", 64 * MB), ("+64m", 64 * MB),
        ("1.5m", 3 * MB // 2), ("6291455b", 6291455), ("512", 512), ("0", 0), ("1e9", 10**9), ("2g", 2 << 30),
        ("9999999999g", -(1 << 63)),
    ],
)  # fmt: skip
def test_bytes(text, number):
    assert parse_bytes(text) == number


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_bytes, "abc", "invalid size: 'abc'"),
        (parse_bytes, "", "invalid size: ''"),
        (parse_bytes, "-1", "invalid size: '-1'"),
        (parse_bytes, "64x", "invalid suffix: 'x'"),
        (parse_bytes, "64kbb", "invalid suffix: 'kbb'"),
        (parse_bytes, "1 2m", 'strconv.ParseFloat: parsing "1 2": invalid syntax'),
        (parse_swap, "-2", "invalid size: '-2'"),
        (parse_cpus, "abc", "failed to parse abc as a rational number"),
        (parse_cpus, "", "failed to parse  as a rational number"),
        (parse_cpus, "1/0", "failed to parse 1/0 as a rational number"),
        (parse_cpus, "0.0000000001", "value is too precise"),
        (parse_int, "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (parse_int, "99999999999999999999", 'strconv.ParseInt: parsing "99999999999999999999": value out of range'),
        (parse_cpus_list, "1-0", "invalid format: 1-0"),
        (parse_cpus_list, "0-", "invalid format: 0-"),
        (parse_cpus_list, "0,,1", "invalid format: 0,,1"),
        (parse_cpus_list, "0-99999", "value of out range, maximum is 8192"),
    ],
)
def test_what_cannot_be_read(parse, text, words):
    with pytest.raises(ValueError, match=r".") as raised:
        parse(text)
    assert str(raised.value) == words


def test_other_numbers():
    assert [parse_cpus(text) for text in ("1.5", ".5", "1/2", "1e0", "-1")] == [
        1_500_000_000, 500_000_000, 500_000_000, 1_000_000_000, -1_000_000_000,
    ]  # fmt: skip
    assert [parse_int(text) for text in ("7", "-5", "0x10", "010", "1_0")] == [7, -5, 16, 8, 10]
    assert parse_swap("-1") == -1
    assert parse_cpus_list("0-2,7") == {0, 1, 2, 7}


HOST = Support(cpus=2, cpuset_cpus="0-1")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"memory": MB}, "Minimum memory limit allowed is 6MB"),
        (
            {"memory": 64 * MB, "memory_swap": 32 * MB},
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        ({"memory_swap": 64 * MB}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
        ({"memory_reservation": MB}, "Minimum memory reservation allowed is 6MB"),
        (
            {"memory": 64 * MB, "memory_reservation": 128 * MB},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        ({"nano_cpus": 3 * 10**9}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"nano_cpus": -1}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        (
            {"nano_cpus": 10**9, "cpu_period": 100_000},
            "Conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
        ({"nano_cpus": 10**9, "cpu_quota": 5000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        (
            {"cpu_period": 10},
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        ({"cpu_quota": 10}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"cpuset_cpus": "7"}, "Requested CPUs are not available - requested 7, available: 0-1"),
        ({"cpuset_cpus": "abc"}, "Invalid value abc for cpuset cpus: invalid format: abc"),
        ({"memory": MB, "cpuset_cpus": "7"}, "Minimum memory limit allowed is 6MB"),
    ],
)
def test_what_the_daemon_refuses(wanted, words):
    with pytest.raises(InvalidParameter) as raised:
        check(Resources(**wanted), HOST)
    assert str(raised.value) == words


def cannot(what):
    return f"Your kernel does not support {what} or the cgroup is not mounted."


def test_what_the_host_cannot_limit_is_dropped_with_a_warning():
    wanted = Resources(
        memory=64 * MB, memory_reservation=32 * MB, cpu_shares=2, cpu_quota=5000, cpuset_cpus="0", pids_limit=5
    )
    nothing = Support(
        memory=False, swap=False, reservation=False, cpu_shares=False, cpu_quota=False, cpuset=False, pids=False
    )
    got, warnings = check(wanted, nothing)
    assert got == Resources(memory_swap=-1)
    assert warnings == [
        f"{cannot('memory limit capabilities')} Limitation discarded.",
        f"{cannot('memory soft limit capabilities')} Limitation discarded.",
        f"{cannot('PIDs limit capabilities')} PIDs limit discarded.",
        f"{cannot('CPU shares')} Shares discarded.",
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
        f"{cannot('cpuset')} Cpuset discarded.",
    ]


def test_without_swap_accounting_memory_alone_is_limited():
    got, warnings = check(Resources(memory=64 * MB), Support(swap=False))
    assert got.memory_swap == -1
    assert warnings == [f"{cannot('swap limit capabilities')} Memory limited without swap."]


def test_a_new_container_gets_as_much_swap_again():
    assert adapt(Resources(memory=64 * MB)).memory_swap == 128 * MB
    assert adapt(Resources(memory=64 * MB, memory_swap=-1)).memory_swap == -1
    assert adapt(Resources(pids_limit=-1)).pids_limit is None


@pytest.mark.parametrize(
    ("now", "wanted", "words"),
    [
        (
            {},
            {"memory": 32 * MB},
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
        ({"memory": 32 * MB, "memory_swap": -1}, {"memory": 64 * MB}, "Memory limit should be smaller than already"),
        ({"nano_cpus": 5}, {"cpu_quota": 20_000}, "CPU Quota cannot be updated as NanoCPUs has already been set"),
        ({"cpu_period": 50_000}, {"nano_cpus": 5}, "Nano CPUs cannot be updated as CPU Period has already been set"),
    ],
)
def test_what_an_update_cannot_change(now, wanted, words):
    with pytest.raises(UpdateConflict, match=f"^Cannot update container abc: .*{words}"):
        merged(Resources(**now), Resources(**wanted), "abc")


def test_an_update_changes_only_what_was_said():
    now = Resources(memory=64 * MB, memory_swap=128 * MB, cpu_shares=5, pids_limit=9)
    assert merged(now, Resources(memory=32 * MB, pids_limit=-1), "abc") == Resources(
        memory=32 * MB, memory_swap=128 * MB, cpu_shares=5, pids_limit=0
    )
    assert merged(now, Resources(), "abc") == now
