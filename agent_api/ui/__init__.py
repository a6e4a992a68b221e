"""The page under ``/ui/``: static files, and a table of the members for browsers without JavaScript."""

from agent_api.ui.page import Mode, members_table, ui_routes

__all__ = ["Mode", "members_table", "ui_routes"]
