"""A JupyterLab of the tests' own, and one of its notebooks in Chromium."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import lessons
import rights
from playwright.sync_api import sync_playwright

TOKEN = "lab-test"
READY_S = 60


@contextlib.contextmanager
def server(folder: pathlib.Path, kernel: str, **environ: str):
    """Start JupyterLab on the notebooks, with configuration of its own below ``folder``; yield its address."""
    port = _free_port()
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
        "HOME",
    )
    own = {name: os.fspath(folder / name.lower()) for name in names}
    for path in own.values():
        pathlib.Path(path).mkdir()
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own["JUPYTERLAB_SETTINGS_DIR"] = os.fspath(folder / "settings")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [
        "--expose-app-in-browser",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={lessons.FOLDER}",
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINIDOCKER_ANS")}
    values = {**inherited, **own, "MINIDOCKER_KERNEL": kernel, "PYTHONPATH": os.fspath(rights.ROOT), **environ}
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, env=values, stdout=log, stderr=log) as process,
    ):
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _await(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1) as answer:
            json.load(answer)
            return
        time.sleep(0.2)
    message = f"JupyterLab did not start (exit code {process.poll()})"
    raise RuntimeError(message)


@contextlib.contextmanager
def notebook(address: str, name: str, *, theme: str = "JupyterLab Light", width: int = 1400, height: int = 1100):
    """Open a notebook in Chromium, ready to run; yield its page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=rights.chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(1000 * READY_S)
        page.goto(f"{address}/lab/tree/{name}.ipynb?reset&token={TOKEN}")
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate(
            """async (theme) => {
              await jupyterapp.restored;
              await jupyterapp.commands.execute('apputils:change-theme', {theme});
              if (jupyterapp.shell.leftCollapsed === false) jupyterapp.shell.collapseLeft();
              let panel;
              while (!(panel = jupyterapp.shell.currentWidget)?.context) await new Promise(go => setTimeout(go, 50));
              await panel.context.ready;
              await panel.sessionContext.ready;
            }""",
            theme,
        )
        try:
            yield page
        finally:
            page.evaluate("async () => { await jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
            browser.close()


def run_all(page) -> None:
    """Run every cell."""
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }")
