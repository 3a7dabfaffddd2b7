"""A browser, and the admin listener with a month of traffic to look at. Skipped, with a reason, without Chromium."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, StorageState, sync_playwright

from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
READY_WITHIN_S = 60
# Without its own calls home, which no page causes; root has no sandbox.
FLAGS = (
    *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
    *("--disable-gpu", "--no-sandbox"),
)


@dataclass(frozen=True)
class Site:
    """The running admin listener."""

    url: str
    password: str


@dataclass
class Seen:
    """What a visit caused. foreign: requests that left for elsewhere; troubles: errors of scripts and answers."""

    url: str
    foreign: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._request(request.url))
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.troubles.append(str(error.error)))

    def _request(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(url)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} {response.url}")

    def _console(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.troubles.append(line.text)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; playwright never brings one along here."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"no Chromium: none of {', '.join(NAMES)} is installed and CHROMIUM is not set"
        print(f"Browser tests are skipped: {reason}")
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The gateway's admin role in processes of its own, on SQLite, as `make run` starts it."""
    var_dir, port = tmp_path_factory.mktemp("site"), free_port()
    environment = {
        **os.environ,
        "GATEWAY_VAR_DIR": str(var_dir),
        "GATEWAY_ENV_FILE": str(var_dir / "none.env"),
        "ADMIN_PORT": str(port),
    }
    command = [sys.executable, "manage.py", "gateway", "--role", "admin"]
    log = (var_dir / "log").open("wb")
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
        try:
            url = f"http://localhost:{port}"
            wait_for(f"{url}/api/health", process, var_dir / "log")
            subprocess.run([sys.executable, "-m", "tests.browser.history"], cwd=ROOT, env=environment, check=True)
            yield Site(url, (var_dir / "admin-password").read_text().strip())
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"the admin listener did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    """One for each test: while it lives its driver keeps an event loop running, which other tests could not have."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def seen(site: Site) -> Seen:
    return Seen(site.url)


@pytest.fixture(scope="session")
def sessions() -> dict[str, StorageState]:
    """The cookies of those who have signed in, by name."""
    return {}


@pytest.fixture
def signed_in(browser: Browser, site: Site, sessions: dict[str, StorageState]) -> StorageState:
    """The cookies of the superuser, who signed in as everybody does."""
    if "admin" not in sessions:
        sessions["admin"] = sign_in(browser, site)
    return sessions["admin"]


def sign_in(browser: Browser, site: Site) -> StorageState:
    with browser.new_context(base_url=site.url) as context:
        tab = context.new_page()
        tab.goto("/admin/")
        tab.get_by_label(re.compile("Username")).fill("admin")
        tab.get_by_label(re.compile("Password")).fill(site.password)
        tab.get_by_role("button", name=re.compile("Log in")).click()
        tab.wait_for_selector("#dashboard")
        return context.storage_state()


@pytest.fixture
def admin(browser: Browser, site: Site, signed_in: StorageState, seen: Seen) -> Iterator[Page]:
    """A tab in which the superuser is signed in."""
    context = browser.new_context(
        base_url=site.url,
        storage_state=signed_in,
        viewport={"width": 1360, "height": 850},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(15_000)
    seen.watch(context)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: SCREENSHOT_DIR, or a place that is thrown away."""
    given = os.environ.get("SCREENSHOT_DIR")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
