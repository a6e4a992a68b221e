"""``python -m tests.ui.screenshots FOLDER``: every view of the page at two sizes, light and dark.

Eight nodes run, one of which is killed and one frozen meanwhile; look at the pictures before a release.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.cli.processes import Processes, eventually

VIEWS = (
    "overview",
    "overview?layout=rtt&edges=acks",
    "views",
    "views?value=RTT",
    "members",
    "members?member=node-3",
    "events",
    "health",
    "faults",
)
SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
SETTLED_MS = 1500
SCRIPT = "14s kill node-3; 16s leave node-6; 30s pause node-5"
SUSPECT_WITHIN_MS = 60_000


def main(folder: Path) -> None:
    """Writes the pictures, and names them."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = ("--http-base", "0", "--bind-base", "0")
    with Processes() as processes:
        cluster = processes.start("cluster", "--nodes", "8", *ports, "--profile", "lan", "--script", SCRIPT)
        eventually(lambda: any(line.startswith("page: ") for line in cluster.err))
        url = next(line.split()[1] for line in cluster.err if line.startswith("page: "))
        with (
            sync_playwright() as driver,
            driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"]) as browser,
        ):
            page = browser.new_page(device_scale_factor=2)
            page.goto(url)
            suspect = page.locator(".now li[data-state=suspect] .name", has_text="node-5")
            suspect.wait_for(timeout=SUSPECT_WITHIN_MS)
            for view in VIEWS:
                page.evaluate("view => location.hash = `#/${view}`", view)
                for size, viewport in SIZES.items():
                    page.set_viewport_size(viewport)
                    for scheme in SCHEMES:
                        page.emulate_media(color_scheme=scheme)
                        page.wait_for_timeout(SETTLED_MS if scheme == SCHEMES[0] else 200)
                        name = f"{re.sub(r'[?=&]', '-', view)}-{size}-{scheme}.png"
                        page.screenshot(path=folder / name)
                        print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
