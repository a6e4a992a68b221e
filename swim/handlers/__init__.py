"""Serf's event handlers: a shell command for each event, with Serf's environment and standard input."""

from __future__ import annotations

from swim.handlers.runner import EventHandlers as EventHandlers
from swim.handlers.spec import EventHandler as EventHandler

__all__ = ["EventHandler", "EventHandlers"]
