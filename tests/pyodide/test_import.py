"""The package comes up on whatever Python runs this file; in Pyodide that is one with no Linux below it."""


def test_the_package_and_its_simulated_kernel_come_up():
    import minidocker  # noqa: F401
    from minidocker.sim import SimKernel

    kernel = SimKernel()
    kernel.mkdir("/a", 0o755)
    assert kernel.stat("/a").st_mode & 0o7777 == 0o755
