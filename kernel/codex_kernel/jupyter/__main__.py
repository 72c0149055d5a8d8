"""`python -P -m codex_kernel.jupyter -f CONNECTION_FILE`: one kernel, until it is shut down or its owner has gone."""

from __future__ import annotations

import sys

from codex_kernel.jupyter.start import main

sys.exit(main(sys.argv[1:]))
