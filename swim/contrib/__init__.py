"""Adapters to frameworks that swim does not install; each module needs its framework."""
