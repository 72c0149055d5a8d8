"""Commands over stored and running threads."""

from __future__ import annotations

from codex_cli.commands.shared import ALL, CONFIG, DIRECTORY, LAST, WHICH, goes_on, over_threads
from codex_cli.options import Command, Option

_LINES = Option("--json", help="Print JSON, an object on a line of its own each")

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

SEARCH_THREADS = Command(
    "search",
    "Search everything said, run, printed and patched in all threads",
    options=(_LINES, Option("--limit", metavar="N", help="At most so many places (default: 20)")),
    arguments=("WORD...",),
    details="Finds the places where all words stand together, archived threads included. A word may end in '*'; words "
    "inside double quotes stand side by side: codex search '\"connection reset\" test*'",
)

RESUME = goes_on(
    "resume",
    "Open an earlier thread in the page and go on with it",
    f"It works in its own directory, unless -C names another. With --last, the first word is the prompt.\n\n"
    f"{WHICH} Without the page: codex exec resume.",
)
FORK = goes_on(
    "fork",
    "Open a new thread in the page that begins with what an earlier one holds",
    f"It works in the earlier one's directory, unless -C names another. With --last, the first word is the "
    f"prompt.\n\n{WHICH} Without the page: codex exec fork.",
)

ARCHIVE = over_threads("archive", "Take threads out of the lists; they can be taken back and resumed")
UNARCHIVE = over_threads("unarchive", "Take archived threads back")
DELETE = over_threads(
    "delete", "Delete threads for good", Option("-y", "--yes", aliases=("--force",), help="Ask no question first")
)
EXPORT = Command(
    "export",
    "Write a thread as Markdown, one HTML file, a notebook, or its lines, without the secrets in it",
    options=(
        Option(
            "--to", metavar="FORM", choices=("md", "html", "ipynb", "jsonl"), help="Which (default: by FILE, else md)"
        ),
        Option("-o", "--output", metavar="FILE", completes="file", help="Into this file or directory, not to stdout"),
        Option("--force", help="Replace FILE when it is there"),
        Option("--preview", help="Only list the secrets that would be taken out"),
        Option("--no-redact", help="Leave secrets in"),
        LAST,
        ALL,
    ),
    arguments=("[ID|NAME]",),
    details="What looks like a key, token or password is replaced by '[redacted: KIND]', so are the values of such "
    "variables here and your login; nothing of this is certain: look at the list on stderr, and at the file. The "
    f"notebook runs on the kernel 'codex'; opening it runs nothing.\n\n{WHICH}",
)
APPLY = Command(
    "apply",
    "Put what a thread's patches changed last into the working tree here, with git",
    aliases=("a",),
    options=(CONFIG, DIRECTORY),
    arguments=("ID|NAME",),
    details="The change of its last turn that patched a file, at the root of the repository here: to carry it from one "
    f"checkout to another. The id of a task in the cloud (task_...) is taken too, with a ChatGPT login.\n\n{WHICH}",
)
