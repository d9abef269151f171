"""A disk that is too small: a clear message, the right exit code, nothing half-made."""

import pytest
import rights

from minidocker import overlay2
from minidocker.base_image import image_archive, layer_tar
from minidocker.hosts import open_host
from minidocker.linux import S_IFDIR, S_IFREG
from minidocker.programs.base_tree import base_entries

SIZE = 4 << 20


@pytest.fixture(params=["sim", "real"])
def host(request):
    if request.param == "real":
        rights.require("root")
    host = open_host(request.param, size_bytes=SIZE)
    yield host
    host.close()


def big_image(size):
    entries = [("/", S_IFDIR | 0o755, 0, 0, ""), ("/big", S_IFREG | 0o644, 0, 0, b"x" * size)]
    return image_archive("big:latest", layer_tar(entries))


def test_an_image_that_does_not_fit(host):
    before = sorted(host.kernel.listdir(overlay2.ROOT))
    host.client = type(host.client)(host.engine, lambda _: big_image(2 * SIZE))
    outcome = host.docker("load -i big.tar")
    assert outcome.exit_code == 1
    assert "no space left on device" in outcome.stderr
    assert sorted(host.kernel.listdir(overlay2.ROOT)) == before
    assert host.docker("run --rm lab true").exit_code == 0


def test_a_container_that_fills_the_disk(host):
    script = "dd if=/dev/zero of=/full bs=1024 count=8192; echo $?"
    outcome = host.docker(["run", "--name", "fill", "lab", "sh", "-c", script])
    assert "No space left on device" in outcome.stderr
    assert outcome.stdout == "1\n"
    host.docker("rm fill")
    assert host.docker("run --rm lab sh -c 'echo again > /file; cat /file'").stdout == "again\n"


def test_a_copy_up_that_does_not_fit(host):
    """One byte more in a file of a lower layer needs all of the file a second time."""
    programs = layer_tar(base_entries())
    entries = [("/", S_IFDIR | 0o755, 0, 0, ""), ("/big", S_IFREG | 0o644, 0, 0, b"x" * (SIZE * 5 // 8))]
    host.client = type(host.client)(host.engine, lambda _: image_archive("big:latest", programs, layer_tar(entries)))
    assert host.docker("load -i big.tar").exit_code == 0
    outcome = host.docker(["run", "--name", "up", "big", "sh", "-c", "echo more >> /big; wc -c < /big"])
    assert "can't create /big: No space left on device" in outcome.stderr
    assert outcome.stdout == f"{SIZE * 5 // 8}\n"
    assert host.docker("diff up").stdout == ""
