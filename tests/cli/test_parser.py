import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_cli.commands.root import ROOT
from codex_cli.parser import CommandLineError, Parsed, options_of, parse


def parsed(*arguments: str) -> Parsed:
    return parse(ROOT, list(arguments))


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandLineError) as caught:
        parsed(*arguments)
    return str(caught.value)


def test_options_stand_before_and_after_the_subcommand_and_the_prompt():
    result = parsed("-m", "a", "exec", "--json", "do it", "-C", "/tmp")
    assert (result.path, result.words) == (("exec",), ["do it"])
    assert (result.one("model"), result.one("cd"), result.flag("json")) == ("a", "/tmp", True)


def test_config_overrides_are_kept_in_the_order_they_were_given_root_first():
    result = parsed("-c", "a=1", "exec", "--config", "b=2", "resume", "ID", "-cc=3", "--config=d=4")
    assert result.many("config") == ("a=1", "b=2", "c=3", "d=4")


def test_the_later_of_two_single_values_wins():
    assert parsed("-m", "root", "exec", "-m", "own").one("model") == "own"


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec", "--json", "-C", "/w", "resume", "ID", "--image", "F"],
        ["exec", "resume", "ID", "--json", "-C", "/w", "--image=F"],
        ["e", "resume", "--json", "ID", "-i", "F", "-C/w"],
    ],
)
def test_resume_takes_options_of_exec_before_and_after_its_name(arguments: list[str]):
    result = parsed(*arguments)
    assert (result.path, result.words) == (("exec", "resume"), ["ID"])
    assert (result.flag("json"), result.one("cd"), result.many("image")) == (True, "/w", ("F",))


def test_the_command_line_of_the_official_sdk_is_understood():
    result = parsed(
        *("exec", "--experimental-json", "--config", 'model_provider="m"', "--model", "gpt-5.5"),
        *("--thread-source", "sdk", "--sandbox", "workspace-write", "--cd", "/w", "--add-dir", "/x", "--add-dir", "/y"),
        *("--skip-git-repo-check", "--output-schema", "/t/schema.json", "--config", 'approval_policy="never"'),
        *("resume", "T", "--image", "/w/a.png", "--image", "/w/b.png"),
    )
    assert (result.path, result.words) == (("exec", "resume"), ["T"])
    assert result.flag("json")
    assert result.many("add_dir") == ("/x", "/y")
    assert result.many("image") == ("/w/a.png", "/w/b.png")


def test_image_takes_one_value_and_leaves_the_prompt_alone():
    result = parsed("exec", "-i", "a.png", "what is this?")
    assert (result.many("image"), result.words) == (("a.png",), ["what is this?"])


def test_what_follows_two_dashes_is_never_an_option_nor_a_subcommand():
    result = parsed(
        "exec",
        "--",
        "resume",
    )
    assert (result.path, result.words) == (("exec",), ["resume"])
    assert parsed("exec", "--", "--json").words == ["--json"]


@pytest.mark.parametrize("prompt", ["- fix the bug", "--- a/b +++", "-", "-- two dashes", "-x\ny", "1"])
def test_a_prompt_that_begins_with_a_dash_and_has_a_blank_is_text(prompt: str):
    assert parsed("exec", prompt).words == [prompt]


def test_short_switches_may_be_joined():
    assert parsed("-hV").flag("help")


def test_a_negative_looking_value_can_be_given_with_an_equals_sign():
    assert parsed("exec", "--model=-x").one("model") == "-x"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exec", "--jsn"], "unknown option '--jsn' for 'codex exec'; did you mean '--json'?"),
        (["exec", "--ful-auto"], "did you mean '--full-auto'?"),
        (["exec", "-Z"], "unknown option '-Z' for 'codex exec'"),
        (["exec", "-s", "readonly"], "did you mean 'read-only'?"),
        (["exec", "--json=yes"], "'--json' takes no value"),
        (["exec", "-m"], "'--model' needs a value: MODEL"),
        (["exec", "-m", "--json"], "'--model' needs a value"),
        (["exec", "one", "two"], "unexpected argument 'two' for 'codex exec'"),
        (["login", "statsu"], "did you mean 'status'?"),
        (["debug", "landlock"], "needs COMMAND"),
        (["-m", "x", "logout"], "'--model' has no meaning for 'codex logout'"),
        (["exec", "resume", "a", "b", "c"], "unexpected argument 'c'"),
    ],
)
def test_a_malformed_line_is_refused_with_one_sentence(arguments: list[str], said: str):
    message = refusal(*arguments)
    assert said in message
    assert "\n" not in message


def test_sandbox_leaves_the_options_of_its_command_alone():
    assert parsed("sandbox", "-s", "read-only", "ls", "--full-auto", "-s", "x", "--").words == [
        *("ls", "--full-auto", "-s", "x", "--")
    ]
    assert parsed("debug", "landlock", "--full-auto", "--", "-odd", "-c").words == ["-odd", "-c"]


def test_commands_of_later_releases_are_recognised_with_any_arguments():
    assert parsed("app-server", "--listen", "stdio", "--", "x").chain[-1].later


def test_every_option_has_one_spelling_and_one_meaning_per_command():
    def check(chain):
        seen: dict[str, object] = {}
        for option in options_of(chain):
            for name in (*option.names, *option.aliases):
                assert seen.setdefault(name, option) is option, (chain[-1].name, name)
        for sub in chain[-1].subcommands:
            check((*chain, sub))

    check((ROOT,))


@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from(["exec", "-c", "--", "-", "--json", "resume", "-i", "-h", "=", "--=", "-c=", "--model="]),
        ),
        max_size=8,
    )
)
def test_no_command_line_raises_anything_but_the_one_error(arguments: list[str]):
    try:
        parse(ROOT, arguments)
    except CommandLineError:
        return
