"""Commands over stored and running threads."""

from __future__ import annotations

from codex_cli.options import Command, Option

THREADS = Command(
    "threads",
    "List the threads that run and the stored ones",
    options=(
        Option("--json", help="Print each thread as a JSON object on a line of its own"),
        Option("--archived", help="The archived ones instead"),
        Option("--all", help="All of them, not the newest 50"),
        Option("--limit", metavar="N", help="At most so many"),
    ),
    arguments=("[WORDS]",),
    details="With WORDS, only threads in which every word was said, or stands in the name or directory.",
)
