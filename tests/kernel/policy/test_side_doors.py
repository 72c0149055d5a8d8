"""A rule that allows a program does not allow what its options make of it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.policy.rule_book import RuleBook
from codex_kernel.policy.rules_file import RuleFile, parse_rules
from codex_kernel.policy.ruling import allowed_by_rules
from codex_kernel.policy.side_doors import side_doors

NAMES = "ls cat echo find fd rg grep sort sed tar less man awk env xargs timeout nice stdbuf command builtin cd base64"
NAMES += " npm uv docker"
NAMES += " rsync zip curl wget scp split shuf tree iconv printf time nohup"
GIT = "log diff show grep clone fetch push rebase bisect submodule archive remote"


def book(*rules: tuple[str, ...]) -> RuleBook:
    lines = [f"prefix_rule({list(words)!r})" for words in rules]
    return RuleBook([parse_rules("\n".join(lines) + "\n", "test.rules")])


KNOWN = book(*((name,) for name in NAMES.split()), *(("git", name) for name in GIT.split()))

DOORS = r"""
env rm x
env -S "ls x"
env -S"ls x"
env --split-string="ls x"
env PATH=/tmp ls
xargs rm
find . -exec rm {} ;
find . -execdir ls {} +
find . -delete
find . -fprintf out %p
find . -fls out
find . -okdir rm {} ;
fd x -x rm
fd x --exec=rm
fd x --exec-batch rm
fd -Hx rm
git -c alias.x=!ls x
git -c core.pager=x log
git --config-env=core.pager=X log
git --exec-path=/tmp/x log
git grep -O x
git grep -nOless x
git grep --open-files-in-pager=x y
git diff --output=x
git diff --outp x
git diff --ext-diff
git log -p --textconv
git clone --upload-pack=x a b
git clone -u x a b
git clone -c core.sshCommand=x a b
git clone --config=core.sshCommand=x a b
git clone --template=/tmp/x a
git clone "ext::sh -c ls" b
git fetch --upload-pack=x y
git push --receive-pack=x y
git push --exec=x y
git rebase -x ls HEAD
git rebase --exec ls HEAD
git bisect run ls
git submodule foreach ls
git submodule --quiet foreach -- ls
git archive --remote=x --exec=y HEAD
git archive -o /tmp/x HEAD
git remote add x "ext::ls"
rg --pre ls x
rg --pre=ls x
rg --hostname-bin=ls x
rg -e -- --pre=ls x
git grep -e -- -Oless x
sort -o x y
sort -ro x y
sort --output=x y
sort --outp=x y
sort --compress-program=ls x
sort --comp=ls x
sed -n "1e ls" f
sed "s/x/ls/e" f
sed "s/x/y/w out" f
sed -n "w out" f
sed -e p -e "r /etc/passwd" f
sed --expression="1e ls" f
sed -f script f
sed --file=script f
sed "s/a/b/;e ls" f
sed -ne "e ls" f
tar cf x --checkpoint=1 --checkpoint-action=exec=ls .
tar xf x --to-command=ls
tar xf x --to-c=ls
tar -xIls -f x
tar xIf ls x
tar -cf x --use-compress-program=ls .
tar xf x --rsh-command=ls
tar xf host:archive
tar --file=host:archive -x
man -P ls ls
man -Pls ls
man --pager=ls ls
man -Hls ls
less +!ls x
less -o log x
awk "BEGIN{system(\"ls\")}"
awk "BEGIN{\"ls\" | getline}"
awk "{print > \"out\"}" f
awk -f script f
awk --load=x 1
rsync -e "sh x" a b
rsync -ave sh a b
rsync --rsh=sh a b
rsync --rsync-path=x a b
zip x y -TT ls
zip x y -T --unzip-command ls
curl -o /tmp/x http://h
curl -sSLO http://h
curl --output=/tmp/x http://h
curl -K settings
wget -O x http://h
wget --use-askpass=ls http://h
scp -S ls a b
split --filter=ls x
npm exec rm
npm x -- rm
uv run rm
docker run -v /:/x image rm
base64 -o x y
shuf -o x y
""".strip().splitlines()


@pytest.mark.parametrize("line", DOORS)
def test_a_side_door_is_not_allowed_by_the_rule_for_its_program(line: str) -> None:
    argv = tuple(shlex.split(line))
    script = line.replace(" ;", r" \;").replace("!", r"\!") if "!" not in line else shlex.join(argv)
    assert not allowed_by_rules(argv, KNOWN)
    assert not allowed_by_rules(("bash", "-lc", script), KNOWN)


KNOWN_FOR = r"""
ls -la
echo hi -o there
find . -name x -print
fd -H x
fd -e py x
git log --oneline -5 --format=%h
git diff --stat HEAD~1 -- --output
git grep -n pattern -- -Ofile
git clone -q https://example.org/x
git fetch --prune origin
git push -u origin main
git rebase --onto a b
git bisect good
git submodule status
rg -n --pretty pre src
sort -rn -k2 -t, f
sort -- -o
sed -n 1,5p f
sed -i s/a/b/g f
sed -E "s|a(b)c|\1|2" f
sed "/x/d; $ p" f
sed -e 1d -e "2,/end/p" f
tar -czf out.tgz src
tar tf out.tgz
man ls
less -N x
awk "{print $1}" f
awk -F: "/x/ {n += 1} END {print n}" f
rsync -av --delete a b
zip -r x y
curl -sSL http://h
wget -q http://h
base64 -d x
npm test
npm run build
uv sync
docker ps
timeout 5 ls -l
nice -n 5 rg x
stdbuf -oL ls
""".strip().splitlines()


@pytest.mark.parametrize("line", KNOWN_FOR)
def test_what_a_program_is_known_for_is_allowed(line: str) -> None:
    assert allowed_by_rules(tuple(shlex.split(line)), KNOWN)


@pytest.mark.parametrize(
    ("rule", "line", "allowed"),
    [
        (("rg", "--pre", "cat"), "rg --pre cat x", True),
        (("rg", "--pre"), "rg --pre cat x --hostname-bin=ls", False),
        (("sort", "-o", "out"), "sort -o out x", True),
        (("git", "submodule", "foreach"), "git submodule foreach ls", True),
        (("git", "bisect", "run", "make"), "git bisect run make", True),
        (("git", "diff", "--output=x"), "git diff --output=x --ext-diff", False),
        (("xargs", "rg"), "xargs rg", False),
        (("xargs", "ls"), "xargs ls -l", True),
        (("fd", "x", "-x", "sort"), "fd x -x sort", False),
    ],
)
def test_a_rule_that_names_the_side_door_opens_that_one_only(rule: tuple[str, ...], line: str, allowed: bool) -> None:
    assert allowed_by_rules(tuple(line.split()), book(rule)) is allowed


HIDDEN = [
    r"$'\x72m' x",
    "$(echo rm) x",
    "`echo rm` x",
    "ls <(rm x)",
    'ls "${x:-$(rm y)}"',
    "ls {a,b}",
    "ls; rm x",
    "ls & rm x",
    "ls |& rm x",
    "! rm x",
    "(rm x)",
    "ls() { rm x; }; ls",
    "function ls { rm x; }; ls",
    "alias ls=rm; ls x",
    "PATH=/tmp/evil ls",
    "LD_PRELOAD=/tmp/x.so ls",
    "PATH=/tmp; ls",
    "export PATH=/tmp; ls",
    "BASH_ENV=x bash -c ls",
    "GIT_PAGER=rm git log",
    "GIT_SSH_COMMAND=rm git fetch",
    "builtin eval 'rm x'",
    "eval ls",
    ". ./x",
    "bash <<< ls",
    "cat <<< x > y",
    "cat > x",
    "cat << EOF\n$(rm x)\nEOF",
    "ls 2> x",
    "ls >| x",
    "ls &> x",
    "coproc ls",
    "trap ls EXIT",
    "ls; trap 'rm x' EXIT",
    "ssh -o ProxyCommand=ls h",
    "watch ls",
    "./ls",
    "../bin/ls",
    "/tmp/ls",
    "~/ls",
    "\u217cs",
    "l\u200bs",
    "ls\u00a0-l",
    "ls\r\nrm x",
    "ls\x0brm x",
    "ls $x",
    "find * -name x",
    "command -p ls",
    "[[ -n $(rm x) ]]",
    "echo $((a[$(rm x)]))",
    "ls\n\trm x",
    "while ls; do rm x; done",
]


@pytest.mark.parametrize("script", HIDDEN)
def test_nothing_hides_behind_an_allowed_word(script: str) -> None:
    assert not allowed_by_rules(("bash", "-lc", script), KNOWN)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=8), max_size=6), st.sampled_from([*NAMES.split(), "git"]))
def test_no_arguments_make_it_fail(arguments: list[str], program: str) -> None:
    assert all(0 < place < len(arguments) + 1 for place in side_doors([program, *arguments]))
    assert side_doors([]) == []


def test_a_book_without_rules_restricts_nothing() -> None:
    assert not RuleBook([RuleFile()]).restricts
    assert not KNOWN.restricts
