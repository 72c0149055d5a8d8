"""`codex features list|enable|disable`: the switches there are, and the user's own settings of them."""

from __future__ import annotations

import json
import sys

from codex_cli.parser import Parsed
from codex_kernel.config.directory import current_directory
from codex_kernel.config.features import FEATURES, check_features, effective
from codex_store.home import find_home


def run_features_command(parsed: Parsed) -> int:
    """The exit code.

    Raises:
        ConfigError: There is no such feature, or the settings cannot be read or written.
    """
    home = find_home()
    if parsed.path[-1] == "list":
        from codex_kernel.config.load import load_config

        config = load_config(home=home, cwd=current_directory(), overrides=parsed.many("config"))
        return _list(effective(config.features), as_json=parsed.flag("json"))
    from codex_kernel.config.edit import set_value

    name, on = parsed.words[0], parsed.path[-1] == "enable"
    check_features([name])
    home.ensure()
    set_value(home.config_file, ("features", name), on)
    sys.stdout.write(f"{'Enabled' if on else 'Disabled'} {name} in {home.config_file}.\n")
    return 0


def _list(states: dict[str, bool], *, as_json: bool) -> int:
    if as_json:
        told = [
            {"name": feature.name, "stage": feature.stage, "enabled": states[feature.name], "does": feature.does}
            for feature in FEATURES
        ]
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        return 0
    width = max(len(feature.name) for feature in FEATURES)
    for feature in FEATURES:
        state = "true" if states[feature.name] else "false"
        sys.stdout.write(f"{feature.name:<{width}}  {feature.stage:<10}  {state:<5}  {feature.does}\n")
    return 0
