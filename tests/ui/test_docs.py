"""The page of the HTTP API at ``/docs``, in a browser."""

from __future__ import annotations

import pytest

from tests.ui.audit import violations
from tests.ui.conftest import PHONE, OpenPage
from tests.ui.site import Site
from tests.ui.waiting import fits

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]


def test_it_fits_every_window_and_can_be_read(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/docs")
    page.locator("article.operation").nth(30).wait_for()
    fits(page)
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    fits(page)
    assert violations(page) == []
