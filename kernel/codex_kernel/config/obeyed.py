"""What of a project is obeyed: which settings folders, and which of their files a person has confirmed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from codex_kernel.config.confirmed import (
    CONFIG_FILE,
    REMEDY,
    Confirmed,
    ConfirmedFiles,
    Digests,
    digests_now,
    name_of,
    programs_of,
)
from codex_kernel.config.layers import Layer, parse_toml
from codex_kernel.config.overrides import Tree, shown_key
from codex_kernel.config.project import between
from codex_kernel.config.text_file import read_text
from codex_kernel.config.trust import Trust, record_trust, trust_target
from codex_kernel.config.types import TrustLevel
from codex_protocol.errors import ConfigError
from codex_store.home import Home


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of the project a thread works in; nothing of one that is not trusted."""

    folders: tuple[Path, ...] = ()
    """`.codex` folders, from the project's root down to the working directory."""
    confirmed: Confirmed = Confirmed()
    notices: tuple[str, ...] = ()
    found: Digests | None = None
    """What `record` is to write down once everything else is in order; None: nothing."""
    root: Path | None = None
    """The directory the record is kept for."""

    def record(self, home: Home, bound: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Write down what a person has just confirmed.

        Args:
            home: Where the record is.
            bound: The files that servers run, as `confirmed_servers` gives them for all layers together.

        Raises:
            ConfigError: It cannot be written.
        """
        if self.root is None or self.found is None:
            return
        programs = {
            name_of(self.confirmed.base, Path(path)): (digest,)
            for files in (bound or {}).values()
            for path, digest in files.items()
        }
        ConfirmedFiles(home).add({str(self.root): self.found | programs})


def obeyed(home: Home, cwd: Path, project: Path | None, trust: Trust, *, confirm: bool) -> Obeyed:
    """What is obeyed in `cwd`.

    The first start in a directory that was trusted elsewhere (in the user's `config.toml`, by upstream) takes the files
    at its top as they are and writes that down.

    Args:
        home: Where the record is.
        cwd: The working directory, symlinks resolved.
        project: Its project's root.
        trust: What the user said.
        confirm: A person confirms all files as they are now.
    """
    if trust.level is not TrustLevel.TRUSTED or trust.root is None:
        return Obeyed()
    # Whoever trusts one directory inside a project has said nothing about the directories above it.
    base = cwd if project is None or trust.root == cwd else project
    folders = tuple(folder for folder in codex_folders(base, cwd) if not same(folder, home.root))
    if confirm:
        found = digests_now(base, between(base, cwd), cwd, home.root)
        return Obeyed(folders=folders, confirmed=Confirmed(base, found), found=found, root=trust.root)
    records = ConfirmedFiles(home)
    try:
        known = records.read().get(str(trust.root))
        if known is None:
            known = digests_now(trust.root, [trust.root], trust.root, home.root)
            records.add({str(trust.root): known})
    except ConfigError as error:
        return Obeyed(folders=folders, confirmed=Confirmed(base), notices=(str(error),))
    return Obeyed(folders=folders, confirmed=Confirmed(base, known))


def trust_now(home: Home, cwd: Path, project: Path | None) -> None:
    """Write down that the user trusts the directory, and confirms what is obeyed there as it is now.

    Raises:
        ConfigError: It cannot be written.
    """
    target = trust_target(cwd, project)
    of_project = obeyed(home, cwd, project, Trust(TrustLevel.TRUSTED, target), confirm=True)
    of_project.record(home)
    record_trust(home, target)


def look_at_the_trusted(home: Home, trusted: Iterable[Path], roots: Iterable[str]) -> None:
    """Write down what is in trusted directories below what commands may write, where nobody looked before.

    Otherwise a command of this thread could put something there that the first start in one of them would take for
    what was there when it was trusted.

    Args:
        home: Where the record is.
        trusted: Every directory the user trusts.
        roots: Directories that commands may write.

    Raises:
        ConfigError: The record cannot be read or written.
    """
    writable = [Path(os.path.realpath(root)) for root in roots]
    inside = [path for path in trusted if any(path.is_relative_to(root) for root in writable)]
    if not inside:
        return
    records = ConfirmedFiles(home)
    known = records.read()
    new = [directory for directory in inside if str(directory) not in known]
    if new:
        records.add({str(directory): digests_now(directory, [directory], directory, home.root) for directory in new})


def confirmed_layer(folder: Path, of: Confirmed) -> tuple[Layer | None, str | None]:
    """The settings in a project's folder, unchecked; or one sentence why they do not count.

    Raises:
        ConfigError: They cannot be read, or are confirmed and no TOML.
    """
    file = folder / CONFIG_FILE
    text = read_text(file)
    if text is None:
        return None, None
    if not of.holds(file, text):
        return None, f"{file} is not obeyed, because it {of.why_not(file)}; {REMEDY}."
    return Layer(kind="project", tree=parse_toml(text, file), file=file, text=text), None


def confirmed_servers(
    servers: Tree, theirs: Mapping[str, Path | None], adjusted: Tree, cwd: Path, of: Obeyed
) -> tuple[Tree, dict[str, dict[str, str]], list[str]]:
    """The servers without those of a project whose programs are not as they were confirmed.

    Args:
        servers: `[mcp_servers]` of all layers.
        theirs: Which of them a project brings, and the file they stand in.
        adjusted: What the command line says of them; files it names are the user's choice.
        cwd: Where they run.
        of: What is obeyed of the project.

    Returns:
        The servers; for each that a project brings the files its command names, with the digests they must have when
        it is started; and a sentence for each that is left out.
    """
    kept = dict(servers)
    bound: dict[str, dict[str, str]] = {}
    notices: list[str] = []
    for name, file in theirs.items():
        server = servers[name]
        if server.get("command") is None:
            continue
        programs = programs_of((server["command"], *server.get("args", ())), cwd / (server.get("cwd") or ""))
        is_chosen_now = of.found is not None or {"args", "cwd"} & set(adjusted.get(name, ()))
        changed = [path for path, digest in programs.items() if not of.confirmed.holds_program(Path(path), digest)]
        if changed and not is_chosen_now:
            del kept[name]
            notices.append(
                f"The MCP server {shown_key((name,))} of {file} is not started, because {changed[0]}, which it"
                f" runs, {of.confirmed.why_not(Path(changed[0]))}; {REMEDY}."
            )
        else:
            bound[name] = programs
    return kept, bound, notices


def unread(home: Home, cwd: Path, project: Path | None) -> list[str]:
    """A sentence when there are settings of an untrusted project that were not read."""
    root = project or cwd
    for folder in codex_folders(root, cwd):
        if os.path.lexists(folder / CONFIG_FILE) and not same(folder, home.root):
            return [
                f"{folder / CONFIG_FILE} is not read, because {root} is not trusted; start once with --trust if it"
                " should be."
            ]
    return []


def codex_folders(first: Path, cwd: Path) -> list[Path]:
    """The `.codex` folders from `first` down to `cwd`."""
    return [folder for directory in between(first, cwd) if (folder := directory / ".codex").is_dir()]


def same(file: Path, other: Path) -> bool:
    """Whether both are there and one."""
    try:
        return os.path.samefile(file, other)
    except OSError:
        return False
