"""Which paths a command would destroy, as far as its words tell."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.policy.destroyers import targets
from codex_kernel.policy.preflight import may_destroy

FILES = ["a.py", "b.py", "c.txt", ".hidden", "src/x.c", "src/y.c", "src/deep/z.c", "build/o", "-d", "with space"]


@pytest.fixture
def tree(tmp_path):
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").touch()
    return tmp_path


def found(tree, line):
    argv = ("bash", "-lc", line) if isinstance(line, str) else line
    out = set()
    for target in targets(argv, tree):
        if target.kind in {"unresolved", "gone"}:
            out.add((target.kind, target.text))
        else:
            near = target.path.is_relative_to(tree.parent)
            out.add((target.kind, os.path.relpath(target.path, tree) if near else str(target.path)))
    return out


CASES = {
    "rm a.py": {("file", "a.py")},
    "rm -f a.py c.txt": {("file", "a.py"), ("file", "c.txt")},
    "rm -rf src": {("tree", "src")},
    "rm -r -- -d": {("tree", "-d")},
    "rm --recursive src/": {("tree", "src")},
    "rm *.py": {("file", "a.py"), ("file", "b.py")},
    "rm '*.py'": {("file", "*.py")},
    "rm src/[!x].c": {("file", "src/y.c")},
    "rm src/[^x].c": {("file", "src/y.c")},
    "rm no*such": {("file", "no*such")},
    "rm -rf {src,build}": {("tree", "src"), ("tree", "build")},
    "rm 'with space' with\\ space": {("file", "with space")},
    "rm $X": {("unresolved", "$X")},
    'rm -rf "$DIR/x"': {("unresolved", '"$DIR/x"')},
    "D=src; rm -rf $D": {("tree", "src")},
    "T=$(mktemp -d); cd $T && rm -rf *": set(),
    "cd src && rm x.c": {("file", "src/x.c")},
    "cd src; rm x.c": {("file", "src/x.c")},
    "cd nosuch; rm -rf src": {("tree", "nosuch/src"), ("tree", "src")},
    "cd nosuch && rm -rf src": {("tree", "nosuch/src")},
    "cd $X && rm -rf src": {("unresolved", "src")},
    "cd $X && rm -rf /abs": {("tree", "/abs")},
    "(cd src && ls); rm x.c": {("file", "x.c")},
    "rm -rf ../other": {("tree", "../other")},
    "unlink a.py": {("file", "a.py")},
    "shred -n 3 -u a.py": {("overwrite", "a.py")},
    "truncate -s 0 a.py": {("overwrite", "a.py")},
    "truncate --size 0 a.py": {("overwrite", "a.py")},
    "dd if=/dev/zero of=a.py bs=1": {("overwrite", "a.py")},
    "dd of=/dev/null": set(),
    "dd of=$X": set(),
    "echo x > a.py": {("overwrite", "a.py")},
    "echo x >| a.py 2> b.py": {("overwrite", "a.py"), ("overwrite", "b.py")},
    "echo x >> a.py": set(),
    "make &> log": {("overwrite", "log")},
    "make > /dev/null 2>&1": set(),
    "cat <<EOF > a.py\nx\nEOF": {("overwrite", "a.py")},
    "> a.py": {("overwrite", "a.py")},
    "echo x > $F; cp a.py $F; tee $F": set(),
    "truncate -s 0 $F": {("unresolved", "$F")},
    "r\"\"m a.py; 'r'm b.py; r\\m c.txt": {("file", "a.py"), ("file", "b.py"), ("file", "c.txt")},
    "echo x | tee a.py": {("overwrite", "a.py")},
    "echo x | tee -a a.py": set(),
    "mv a.py b.py": {("overwrite", "b.py")},
    "mv a.py src": {("overwrite", "src/a.py")},
    "mv -t src a.py b.py": {("overwrite", "src/a.py"), ("overwrite", "src/b.py")},
    "mv -n a.py b.py": set(),
    "cp a.py b.py": {("overwrite", "b.py")},
    "install -m 644 a.py b.py": {("overwrite", "b.py")},
    "rsync -a --delete src/ build/": {("tree", "build")},
    "rsync -a src/ build/": set(),
    "rsync -a --delete src/ host:build/": set(),
    "rsync -an --delete src/ build/": set(),
    "find . -name '*.c' -delete": {("file", "src/x.c"), ("file", "src/y.c"), ("file", "src/deep/z.c")},
    "find src -maxdepth 1 -type f -delete": {("file", "src/x.c"), ("file", "src/y.c")},
    "find . -name '*.c' ! -name 'x*' -exec rm {} +": {("file", "src/y.c"), ("file", "src/deep/z.c")},
    "find . -path './src/*' -iname 'X.C' -exec rm -f {} \\;": {("file", "src/x.c")},
    "find . -type d -name deep -exec rm -rf {} +": {("tree", "src/deep")},
    "find src -mtime +3 -name 'x*' -delete": {("file", "src/x.c")},
    "find . -name '*.c'": set(),
    "find . -name '*.c' -exec grep x {} +": set(),
    "find . -name '*.c' -exec sh -c 'rm {}' \\;": {
        ("file", "{}"),
        ("file", "src/x.c"),
        ("file", "src/y.c"),
        ("file", "src/deep/z.c"),
    },
    "find . -name '*.c' | xargs rm": {("unresolved", "xargs rm")},
    "find . -name '*.c' | xargs grep x": set(),
    "git ls-files | xargs -0 sh -c 'rm \"$@\"'": {("unresolved", 'xargs -0 sh -c rm "$@"'), ("unresolved", '"$@"')},
    "git clean -fdx": {("untracked", ".")},
    "git clean -n": set(),
    "git clean -fdX": set(),
    "git clean -f src": {("untracked", "src")},
    "git -C src clean -f": {("untracked", "src")},
    "git checkout -- a.py": {("tracked", "a.py")},
    "git checkout a.py": {("tracked", "a.py")},
    "git checkout .": {("tracked", ".")},
    "git checkout HEAD a.py": {("tracked", "a.py")},
    "git checkout HEAD -- a.py src": {("tracked", "a.py"), ("tracked", "src")},
    "git checkout main": set(),
    "git checkout -b a.py": set(),
    "git checkout -f main": {("tracked", ".")},
    "git checkout -- '*.py'": {("tracked", ".")},
    "cd src && git checkout -- x.c": {("tracked", "src/x.c")},
    "git switch main": set(),
    "git switch --discard-changes main": {("tracked", ".")},
    "git restore a.py": {("tracked", "a.py")},
    "git restore --source HEAD~1 a.py": {("tracked", "a.py")},
    "git restore --staged a.py": set(),
    "git restore --staged --worktree a.py": {("tracked", "a.py")},
    "git restore :/": {("tracked", ".")},
    "git reset --hard HEAD~1": {("tracked", ".")},
    "cd src && git reset --hard": {("tracked", ".")},
    "git reset HEAD a.py": set(),
    "git rm a.py": set(),
    "git rm -rf src": {("tracked", "src")},
    "git rm -f --cached a.py": set(),
    "git mv -f a.py b.py": {("overwrite", "b.py")},
    "git stash": set(),
    "git stash drop": {("gone", "git stash entries (drop)")},
    "git stash clear": {("gone", "git stash entries (clear)")},
    "git worktree remove --force src": {("tree", "src")},
    "git status && git log": set(),
    "sudo env A=1 timeout 5 rm -rf src": {("tree", "src")},
    "env -C src rm x.c": {("file", "src/x.c")},
    "bash -c 'rm -rf src'": {("tree", "src")},
    "nice sh -ec 'cd src; rm x.c'": {("file", "src/x.c")},
    "for f in *.py; do rm $f; done": {("unresolved", "$f")},
    "if true; then rm a.py; else rm b.py; fi": {("file", "a.py"), ("file", "b.py")},
    "echo $(rm a.py)": {("file", "a.py")},
    "f() { rm a.py; }": {("file", "a.py")},
    "ls -la": set(),
    "echo rm a.py": set(),
    "rm": set(),
    "": set(),
}


@pytest.mark.parametrize("script", CASES)
def test_targets_are_found(tree, script):
    assert found(tree, script) == CASES[script]


def test_argument_lists_are_read_without_a_shell(tree):
    assert found(tree, ("rm", "*.py")) == {("file", "*.py")}
    assert found(tree, ("/bin/rm", "-rf", "src")) == {("tree", "src")}
    assert found(tree, ("git", "-C", "src", "reset", "--hard")) == {("tracked", ".")}


def test_a_wildcard_over_too_many_files_cannot_be_told(tree):
    for n in range(4_100):
        (tree / "build" / str(n)).touch()
    assert found(tree, "rm build/*") == {("unresolved", "build/*")}
    assert found(tree, "find build -type f -delete") == {("tree", "build")}


@pytest.mark.parametrize("script", [script for script, expected in CASES.items() if expected])
def test_the_quick_look_lets_no_destroyer_pass(script):
    assert may_destroy(("bash", "-lc", script))


def test_the_quick_look_spares_harmless_commands():
    assert not may_destroy(("bash", "-lc", "ls && pytest -q"))


def test_a_symlink_loop_does_not_hang_find(tree):
    (tree / "src" / "loop").symlink_to(tree / "src")
    assert ("file", "src/x.c") in found(tree, "find . -name '*.c' -delete")


def test_unreadable_places_are_no_error():
    assert targets(("bash", "-lc", "cd /nonexistent && rm -rf * && find . -delete"), Path("/nonexistent")) is not None


PIECES = st.one_of(
    st.sampled_from(["rm", "-rf", "git", "clean", "checkout", "--", "find", ".", "-name", "-exec", "{}", ";", "\\;"]),
    st.sampled_from(["xargs", "mv", "-t", "dd", "of=", "-", "env", "-C", "cd", "..", "-delete", "!", "-o"]),
    st.sampled_from(["$X", "*", "[", "{a,b}", ">", "|", "&&", "~", "''", '"', "(", ")", "\n"]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(PIECES, max_size=10))
def test_no_command_makes_the_search_fail(tree, words):
    targets(tuple(words), tree)
    targets(("bash", "-lc", " ".join(words)), tree)
