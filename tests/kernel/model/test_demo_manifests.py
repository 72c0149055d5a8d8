from __future__ import annotations

import pytest

from codex_kernel.model.demo_manifests import read_manifest


@pytest.mark.parametrize(
    ("label", "text", "facts", "entries"),
    [
        ("pyproject", '[tool.poetry]\nname = "old"\n', {"Project": "old"}, {"old/__init__.py", "src/old/__main__.py"}),
        ("pyproject", '[project]\nname = "cut"\n[project.scripts]\nx = "a.b', {"Project": "cut"}, {"cut/__init__.py"}),
        ("pyproject", "not toml", {}, set()),
        (
            "setupcfg",
            "[metadata]\nname = w\ndescription = A <b>\n[options.entry_points]\nconsole_scripts =\n  w = web.cli:x\n",
            {"Project": "w", "Description": "A b", "Commands it installs": "`w`"},
            {"web/cli.py", "src/web/cli/__init__.py"},
        ),
        ("setupcfg", "no section\n%(x)s", {}, set()),
        ("package", '{"name": "n", "main": "./a", "bin": {"x": "bin/x.mjs"}}', {"Project": "n"}, {"a.js", "bin/x.mjs"}),
        ("package", '{"exports": {".": {"import": "./e.js"}, "./*": "./*.js"}}', {}, {"e.js"}),
        ("package", '{"main": "../../etc/passwd", "bin": 5, "exports": [1]}', {}, set()),
        ("package", '{\n  "name": "cut",\n  "main": "m.js",\n  "files": [', {"Project": "cut"}, {"m.js"}),
        ("package", "[" * 5000, {}, set()),
        ("package", '{"name": "a\\u202eb\\u001bc"}', {"Project": "a b c"}, set()),
        ("cargo", '[package]\nname = "r"\n', {"Project": "r"}, {"src/main.rs", "src/lib.rs"}),
        ("gomod", "module example.org/x\n\ngo 1.22\n", {"Project": "example.org/x"}, set()),
    ],
)
def test_a_manifest_tells_its_project_and_where_it_may_begin(
    label: str, text: str, facts: dict[str, str], entries: set[str]
) -> None:
    manifest = read_manifest(label, text)
    assert manifest.facts == facts
    assert entries <= set(manifest.entries)
    assert bool(entries) == bool(manifest.entries)


def test_of_many_scripts_ten_are_named_and_the_rest_is_counted() -> None:
    scripts = ", ".join(f'"s{n}": "x"' for n in range(12))
    assert read_manifest("package", f'{{"scripts": {{{scripts}}}}}').facts["npm scripts"].endswith("`s9` and 2 more")
