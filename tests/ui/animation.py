"""``python -m tests.ui.animation FILE.gif``: a partition of five nodes and its healing, on the page."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.cli.processes import Processes, eventually

SIZE = {"width": 860, "height": 560}
COLOURS = 48
FRAME_MS = 400
FRAMES_MAX = 120
SCRIPT = "split 1,2 3-5; 11s heal"


def main(file: Path) -> None:
    """Writes the animation: frames that show nothing new are left out."""
    with Processes() as processes:
        cluster = processes.start("cluster", "--nodes", "5", "--http-base", "0", "--bind-base", "0")
        eventually(lambda: any(line.startswith("page: ") for line in cluster.err))
        url = next(line.split()[1] for line in cluster.err if line.startswith("page: "))
        with (
            sync_playwright() as driver,
            driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"]) as browser,
        ):
            page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
            page.goto(f"{url}#/views?group=1")
            page.wait_for_selector("table.matrix")
            pictures = [page.locator("main").screenshot()]
            page.evaluate(
                "verb => fetch('../v1/cluster/command', {method: 'POST', body: JSON.stringify({verb})})",
                SCRIPT,
            )
            has_differed = False
            while len(pictures) < FRAMES_MAX:
                page.wait_for_timeout(FRAME_MS)
                pictures.append(page.locator("main").screenshot())
                differs = page.locator(".headline [data-state=suspect]").count() > 0
                has_differed = has_differed or differs
                if has_differed and not differs:
                    break
    frames = [
        Image.open(io.BytesIO(picture)).convert("P", palette=Image.Palette.ADAPTIVE, colors=COLOURS)
        for picture in pictures
    ]
    durations = [1500, *[FRAME_MS // 2] * (len(frames) - 2), 3000]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)
    print(file, file.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
