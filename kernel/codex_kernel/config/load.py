"""All settings of one thread, from files, overrides and flags to one frozen Config.

Precedence, lowest first: defaults, `config.toml`, the profile (`[profiles.NAME]`, then `NAME.config.toml`),
`.codex/config.toml` of a trusted project from its root down to the working directory (each as it was confirmed), `-c`,
flags. `-c` is stronger than a profile, because it is what the user typed last; upstream of August 2025 had it the other
way round.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from codex_kernel.config.features import check_features
from codex_kernel.config.flags import Flags
from codex_kernel.config.from_project import permitted
from codex_kernel.config.layers import Layer, canonical, checked, merge, read_layer, table_at
from codex_kernel.config.obeyed import (
    Obeyed,
    confirmed_layer,
    confirmed_servers,
    look_at_the_trusted,
    obeyed,
    unread,
)
from codex_kernel.config.overrides import Tree, join_key, mapping_tree, overrides_tree, shown_key, split_key
from codex_kernel.config.project import project_root
from codex_kernel.config.resolve import Gathered, resolve
from codex_kernel.config.schema import ConfigToml
from codex_kernel.config.trust import Trust, record_trust, trust_of, trust_target, trusted_directories
from codex_kernel.config.types import Config, ConfigLayer, HookTable, TrustLevel
from codex_protocol.errors import ConfigError
from codex_protocol.policy import WorkspaceWrite
from codex_store.home import Home


def load_config(
    *,
    home: Home,
    cwd: Path,
    overrides: Sequence[str] = (),
    flags: Flags = Flags(),  # noqa: B008 (frozen)
    env: Mapping[str, str] = os.environ,
) -> Config:
    """The settings of a thread that works in `cwd`.

    Reads files and writes none, except that `flags.trust` records the trust once everything else is in order, and that
    the files of a trusted project are written down when they are first seen.

    Args:
        home: Where the user's settings are.
        cwd: The process's working directory; `flags.cd` counts from it.
        overrides: `-c` arguments in the order they were given.
        flags: What the command line or the front end sets.
        env: Environment variables that stand for settings.

    Raises:
        ConfigError: A setting cannot be used; the sentence names file, line and key.
        UsageError: Flags contradict each other.
    """
    cwd = _working_directory(cwd, flags.cd)
    check_features((*flags.enable, *flags.disable))
    *files, command_line = _user_layers(home, overrides, flags, cwd)
    below: Tree = {}
    for layer in files:
        below = merge(below, layer.tree)
    users = merge(below, command_line.tree)
    project = project_root(cwd, users.get("project_root_markers", ConfigToml().project_root_markers))
    target = trust_target(cwd, project) if flags.trust else None
    said = _trust_tree(home, users, flags)
    trust = Trust(TrustLevel.TRUSTED, target) if target else trust_of(cwd, project, said)
    of_project = obeyed(home, cwd, project, trust, confirm=flags.trust)
    projects, unconfirmed = _project_layers(of_project)

    all_layers = [*files, *projects, command_line]
    notices = [sentence for layer in all_layers for sentence in _unknown(layer, strict=flags.strict)]
    notices += [*of_project.notices, *unconfirmed]
    if trust.level is TrustLevel.UNKNOWN:
        notices += unread(home, cwd, project)
    defined = _defined_servers(below, command_line.tree)
    hooks = [_hooks(layer, "user", home) for layer in (*files, command_line) if "hooks" in layer.tree]
    theirs: dict[str, Path | None] = {}
    for layer in projects:
        kept, notice = permitted(layer, below, defined)
        notices += [notice] if notice else []
        theirs |= dict.fromkeys(table_at(kept, "mcp_servers"), layer.file)
        hooks += [_hooks(layer, "project", home)] if "hooks" in kept else []
        below = merge(below, kept)
    settings = merge(below, command_line.tree)
    bound: dict[str, dict[str, str]] = {}
    if theirs:
        adjusted = table_at(command_line.tree, "mcp_servers")
        settings["mcp_servers"], bound, changed = confirmed_servers(
            settings["mcp_servers"], theirs, adjusted, cwd, of_project
        )
        notices += changed

    gathered = Gathered(
        home=home,
        cwd=cwd,
        project_root=project,
        trust=trust,
        trusted_directories=tuple(trusted_directories(said)),
        settings=msgspec.convert(settings, ConfigToml) if settings else ConfigToml(),
        profile=_profile_name(users, flags),
        given=frozenset(settings),
        layers=(
            ConfigLayer(kind="user", folder=home.root),
            *(ConfigLayer(kind="project", folder=folder) for folder in of_project.folders),
        ),
        confirmed=of_project.confirmed,
        bound_servers=bound,
        hooks=tuple(hooks),
        notices=tuple(notices),
    )
    try:
        config = resolve(gathered, flags, env)
    except ConfigError as error:
        raise _placed(error, all_layers) from error
    if target:
        of_project.record(home, bound)
        record_trust(home, target)
    return _with_notice_of_neighbours(config, home, env)


def _working_directory(cwd: Path, cd: Path | None) -> Path:
    """The directory the thread works in, absolute, symlinks resolved."""
    wanted = cwd / cd if cd is not None else cwd
    found = Path(os.path.realpath(wanted))
    if not found.is_dir():
        what = "is not a directory" if found.exists() else "does not exist"
        raise ConfigError(f"The working directory {wanted} {what}.", key="cwd")
    try:
        str(found).encode()
    except UnicodeEncodeError:
        shown = ascii(str(found))
        raise ConfigError(
            f"The working directory {shown} has a name that is not UTF-8; rename it.", key="cwd"
        ) from None
    return found


def _user_layers(home: Home, overrides: Sequence[str], flags: Flags, cwd: Path) -> list[Layer]:
    """What comes from the user's side, lowest first; the command line is the last of them, and is always there."""
    typed = merge(overrides_tree(overrides), mapping_tree(flags.config))
    if switched := dict.fromkeys(flags.enable, True) | dict.fromkeys(flags.disable, False):
        typed = merge(typed, {"features": switched})
    command_line = checked(Layer(kind="command line", tree=typed))
    command_line = msgspec.structs.replace(command_line, tree=canonical(command_line.tree, cwd))
    layers: list[Layer] = []
    if not flags.ignore_user_config and (user := _file_layer(home.config_file, "user")) is not None:
        layers.append(user)
    tree = merge(layers[0].tree if layers else {}, command_line.tree)
    if (name := _profile_name(tree, flags)) is not None:
        layers += _profile_layers(home, name, tree, flags, layers)
    return [*layers, command_line]


def _profile_name(tree: Tree, flags: Flags) -> str | None:
    return flags.profile or tree.get("profile") or None


def _profile_layers(home: Home, name: str, tree: Tree, flags: Flags, layers: list[Layer]) -> list[Layer]:
    """A profile's table and its file.

    Raises:
        ConfigError: There is neither.
    """
    found: list[Layer] = []
    profiles = table_at(tree, "profiles")
    if name in profiles:
        profile = {
            key: value for key, value in profiles[name].items() if key not in {"profile", "profiles", "projects"}
        }
        source = layers[0].file if layers else None
        found.append(Layer(kind="profile", tree=profile, file=source))
    is_file_name = not name.startswith(".") and "/" not in name and "\0" not in name
    if is_file_name and not flags.ignore_user_config:
        layer = _file_layer(home.profile_file(name), "profile")
        if layer is not None:
            found.append(msgspec.structs.replace(layer, tree=_without_nested(layer.tree)))
    if not found:
        raise ConfigError(
            f"The profile {name!r} is not defined: there is no [{shown_key(('profiles', name))}] in {home.config_file}"
            f" and no file {home.root}/{name}.config.toml.",
            key=f"profiles.{name}",
        )
    return found


def _without_nested(profile: Tree) -> Tree:
    """A profile is no place for profiles and trust."""
    return {key: value for key, value in profile.items() if key not in {"profile", "profiles", "projects"}}


def _project_layers(of_project: Obeyed) -> tuple[list[Layer], list[str]]:
    """The confirmed settings of a project, lowest first, and a sentence for each file that does not count."""
    layers: list[Layer] = []
    notices: list[str] = []
    for folder in of_project.folders:
        layer, notice = confirmed_layer(folder, of_project.confirmed)
        notices += [notice] if notice else []
        if layer is not None:
            layers.append(msgspec.structs.replace(checked(layer), tree=canonical(layer.tree, folder)))
    return layers, notices


def _with_notice_of_neighbours(config: Config, home: Home, env: Mapping[str, str]) -> Config:
    """The config, once other trusted directories that its commands may write have been looked at."""
    policy = config.sandbox_policy
    more = policy.writable_roots if isinstance(policy, WorkspaceWrite) else ()
    roots = [str(config.cwd), *more, "/tmp", *filter(None, [env.get("TMPDIR")])]  # noqa: S108 - the policy grants it
    try:
        look_at_the_trusted(home, config.trusted_directories, roots)
    except ConfigError as error:
        return msgspec.structs.replace(config, warnings=tuple(dict.fromkeys([*config.warnings, str(error)])))
    return config


def _file_layer(file: Path, kind: Any) -> Layer | None:
    layer = read_layer(file, kind)
    if layer is None:
        return None
    return msgspec.structs.replace(checked(layer), tree=canonical(layer.tree, file.parent))


def _trust_tree(home: Home, users: Tree, flags: Flags) -> Tree:
    """Settings that may say what is trusted: the user's, also when the rest of their file is to be ignored."""
    if not flags.ignore_user_config:
        return users
    try:
        layer = _file_layer(home.config_file, "user")
    except ConfigError:
        return users  # a file that is to be ignored may be broken
    return users if layer is None else merge({"projects": layer.tree.get("projects", {})}, users)


def _defined_servers(files: Tree, command_line: Tree) -> set[str]:
    """MCP servers the user defined, not merely adjusted with `-c`."""
    typed = table_at(command_line, "mcp_servers")
    return {*table_at(files, "mcp_servers"), *(name for name in typed if {"command", "url"} & set(typed[name]))}


def _hooks(layer: Layer, kind: Any, home: Home) -> HookTable:
    return HookTable(file=layer.file or home.config_file, kind=kind, table=table_at(layer.tree, "hooks"))


def _unknown(layer: Layer, *, strict: bool) -> list[str]:
    """A sentence about the keys of a layer that nobody reads; with `strict` they are an error."""
    if not layer.unknown:
        return []
    from codex_kernel.config.explain import nearest, place

    sentences: list[str] = []
    for key in layer.unknown:
        path = key.path
        resembles = nearest(path[-1], key.known)
        hint = f"; did you mean {shown_key((*path[:-1], resembles))}?" if resembles else "."
        sentence = f"{place(layer, path)}: unknown key {shown_key(path)}"
        if strict:
            raise ConfigError(sentence + hint, file=str(layer.file) if layer.file else None, key=join_key(path))
        sentences.append(f"{sentence} is ignored{hint}")
    return sentences


def _placed(error: ConfigError, layers: Sequence[Layer]) -> ConfigError:
    """The error with the place of its key, when a layer holds it."""
    if error.key is None or error.file is not None:
        return error
    from codex_kernel.config.explain import at, holds

    path = split_key(error.key)
    for layer in reversed(layers):
        for depth in range(len(path), 0, -1):
            if holds(layer.tree, path[:depth]):
                return at(layer, path[:depth], str(error).rstrip("."))
    return error
