"""A reader's browser: JupyterLab opens a notebook, runs it from the first cell to the last, and its slider moves a picture.

`make test-browser` runs this; `make test` does not come here (norecursedirs in pyproject.toml). It needs a Chromium, whose
place CHROMIUM may name, and playwright; where one is missing this fails and says so, for it was asked for.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds for a notebook
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SLIDER = "application/vnd.jupyter.widget-view+json"

# What the page is asked. The model knows every cell; on the page are only those that are in sight.
READY = """() => { const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.isReady && panel.sessionContext?.session?.kernel?.status === 'idle'; }"""
RUN = "() => { window.jupyterapp.commands.execute('runmenu:run-all'); }"
CELLS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells).filter(c => c.type === 'code')
    .map(c => ({count: c.executionCount, outputs: c.outputs.toJSON(), id: c.id}))"""
SHOW = """id => { const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = notebook.widgets.findIndex(w => w.model.id === id);
    return notebook.scrollToItem(notebook.activeCellIndex); }"""
BYTES = "async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("playwright is missing: `make test-browser` installs it, or pip install -e '.[browser]'")
    asked = os.environ.get("CHROMIUM", "")
    chromium = shutil.which(asked) if asked else next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        missing = f"CHROMIUM={asked} is no program" if asked else f"no Chromium: none of {', '.join(NAMES)} was found"
        pytest.fail(
            f"{missing}. Install one (Debian: apt-get install chromium), or name it: make test-browser CHROMIUM=…"
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab on copies of the notebooks, with nothing kept of an earlier run; {} for its file."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    given = {"ip": "127.0.0.1", "port": port, "port_retries": 0, "root_dir": folder, "open_browser": False}
    command = [sys.executable, "-m", "jupyter", "lab", "--allow-root", "--expose-app-in-browser"]
    command += [f"--ServerApp.{name}={value}" for name, value in given.items()]
    command += [f"--IdentityProvider.token={token}", "--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    places = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **places, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    log = home / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=environment, cwd=home, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def run_all(page: Any) -> list[dict[str, Any]]:
    """Runs all cells, as the menu does; the code cells afterwards. The first error ends it, for the rest is not run."""
    page.wait_for_function(READY, timeout=90_000)
    assert not any(cell["count"] or cell["outputs"] for cell in page.evaluate(CELLS)), "something was run before"
    page.evaluate(RUN)
    deadline = time.monotonic() + PATIENCE
    while True:
        cells: list[dict[str, Any]] = page.evaluate(CELLS)
        errors = [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
        assert not errors, f"{errors[0]['ename']}: {errors[0]['evalue']}"
        if all(cell["count"] for cell in cells):
            return cells
        assert time.monotonic() < deadline, f"{sum(not cell['count'] for cell in cells)} cells were not run in time"
        page.wait_for_timeout(500)


def move(page: Any, cell: dict[str, Any]) -> None:
    """Moves the slider of a cell by the keyboard, and waits for the bytes of its picture to change."""
    page.evaluate(SHOW, cell["id"])
    output = (
        page.locator(".jp-Notebook .jp-Cell")
        .filter(has=page.locator(".noUi-handle"))
        .filter(has=page.locator("img.widget-image, .widget-image img"))
    )
    output.first.wait_for(timeout=30_000)
    picture = page.locator("img.widget-image, .widget-image img").first
    before = picture.evaluate(BYTES)
    assert bytes(before[:8]) == b"\x89PNG\r\n\x1a\n"
    handle = page.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    deadline = time.monotonic() + 60
    while picture.evaluate(BYTES) == before:
        assert time.monotonic() < deadline, "the slider was moved, and the picture stayed as it was"
        page.wait_for_timeout(200)


@pytest.mark.parametrize(("name", "demanded"), [("00_tour", False), ("08_ppo", True)])
def test_a_notebook_runs_in_the_browser_and_its_slider_moves_the_picture(
    browser: Any, lab: str, name: str, demanded: bool
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    try:
        page.goto(lab.format(f"{name}.ipynb"), timeout=60_000)
        cells = run_all(page)
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        sliders = [cell for cell in cells if any(SLIDER in output.get("data", {}) for output in cell["outputs"])]
        assert sliders or not demanded, "there is no slider"
        for cell in sliders[:1]:
            move(page, cell)
    finally:
        page.close()
