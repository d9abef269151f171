"""ip, ifconfig, ping and nc in a network namespace of their own: what they print, and how they end, is busybox's."""

import re
import subprocess
from pathlib import Path

import pytest
import rights
from programs.places import BUSYBOX, busybox_directory, normal

from minidocker.linux import CLONE_NEWNET

CASES = Path(__file__).with_name("network_cases.txt").read_text().split("\n%%\n")[1:]

#: What no two machines have alike: addresses that a kernel makes up, and times. The lab has no IPv6.
MAC = re.compile(r"(?i)\b(?!00:00:00|ff:ff:ff|02:00:00)([0-9a-f]{2}:){5}[0-9a-f]{2}\b")
IPV6 = re.compile(r"(?m)^.* inet6 .*\n( *valid_lft .*\n)?")
TIME = re.compile(r"(?<=time=)[\d.]+|(?<=max = )[\d./]+")


def alike(result):
    text = TIME.sub("TIME", MAC.sub("MAC", IPV6.sub("", result.stdout)))
    return result.code, text, result.stderr


def by_busybox(script):
    command = ["unshare", "--net", f"{busybox_directory()}/sh", "-c", script]
    environ = {"PATH": busybox_directory(), "LANG": "C.UTF-8", "HOME": "/"}
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return normal(done.returncode, done.stdout, done.stderr, {}, "/nowhere")


@pytest.mark.skipif(BUSYBOX is None, reason="needs busybox (Debian: busybox-static) to compare with")
@pytest.mark.parametrize("script", CASES)
def test_as_busybox(kernel_place, script):
    rights.require("root")
    ours = kernel_place.run(("sh", "-c", script), flags=CLONE_NEWNET)
    assert alike(ours) == alike(by_busybox(script))
