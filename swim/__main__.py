"""``python -m swim`` is the same as the console script ``swim``."""

from __future__ import annotations

import sys

from swim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
