"""`codex export`: a thread as Markdown, one HTML file, a notebook, or its lines; secrets taken out, and which told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codex_cli.parser import CommandLineError, Parsed
from codex_client.export.thread import FORMATS, Exported, export_thread, format_of
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import RolloutError
from codex_render.safe_text import one_line
from codex_store.home import Home, find_home
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread, last_thread


def run_export_command(parsed: Parsed) -> int:
    """0 when it was written, or with `--preview` told.

    Raises:
        CommandLineError: Not one thread is named, or one with `--last`.
        CodexError: There is no such thread or form, or the file cannot be written.
    """
    home = find_home()
    into = parsed.one("output")
    ending = Path(into).suffix.removeprefix(".") if into is not None else ""
    to = format_of(parsed.one("to") or (ending if ending in FORMATS else "md"))
    exported = export_thread(home, _thread(home, parsed), to, redact=not parsed.flag("no_redact"))
    if parsed.flag("preview"):
        sys.stdout.write("".join(f"{line}\n" for line in _found(exported)) or "No secrets were found.\n")
        sys.stdout.flush()
        return 0
    if into is None:
        sys.stdout.write(exported.text)
        sys.stdout.flush()
    else:
        file = exported.save(into, replace=parsed.flag("force"))
        _say(f"Written: {one_line(str(file))}")
    if exported.found:
        _say("Secrets taken out:" if exported.redacted else "Secrets left in, as you asked:")
        for line in _found(exported):
            _say(f"  {line}")
    return 0


def _thread(home: Home, parsed: Parsed) -> ThreadInfo:
    if not parsed.flag("last"):
        if not parsed.words:
            raise CommandLineError("which thread? give its id or name, or '--last'", parsed.chain)
        return find_thread(home, parsed.words[0])
    if parsed.words:
        raise CommandLineError("'--last' takes no id", parsed.chain)
    info = last_thread(home, None if parsed.flag("all") else current_directory())
    if info is None:
        where = "" if parsed.flag("all") else f" in {os.getcwd()}; --all takes the newest of any directory"
        raise RolloutError(f"There is no thread{where}.")
    return info


def _found(exported: Exported) -> list[str]:
    return [
        f"{finding.kind}: {one_line(finding.preview)}{f', {finding.times} times' if finding.times > 1 else ''}"
        for finding in exported.found
    ]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
