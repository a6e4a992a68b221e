"""Our own paths, under ``/v1/swim/``."""
