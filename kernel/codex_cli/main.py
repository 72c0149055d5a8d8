"""The `codex` command: takes the command line apart and hands over to one front end, which is imported only then."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys

from codex_cli.commands.root import ROOT
from codex_cli.parser import CommandLineError, Parsed, parse
from codex_protocol.errors import CodexError, UsageError

_PATCH_NAMES = ("apply_patch", "applypatch")
_PATCH_FLAG = "--codex-run-as-apply-patch"


# Start-up makes some hundred thousand objects that all stay: looking through them again and again costs 20 ms.
_OBJECTS_BEFORE_COLLECTION = 50_000


def run() -> None:
    """The program: `main`, then the end of the process without taking the interpreter apart, which costs 20 ms."""
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    code = main()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # `os._exit` leaves them out
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        if code == 0:
            code = 1
            _say("Error: stdout was closed, so what was to be printed there is lost")
    with contextlib.suppress(OSError, ValueError, AttributeError):  # who closed stderr wants to hear nothing
        sys.stderr.flush()
    os._exit(code)


def main(argv: list[str] | None = None) -> int:
    """The exit code of the command `argv` (default: this process's arguments) names."""
    _open_standard_streams()
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return _dispatch(os.path.basename(sys.argv[0]) if sys.argv else "codex", arguments)
    except CommandLineError as error:
        _say(f"error: {error}")
        from codex_cli.help_text import usage_line

        _say(usage_line(error.chain))
        _say(f"For more, try '{' '.join(command.name for command in error.chain)} --help'.")
        return 2
    except UsageError as error:
        _say(f"error: {error}")
        return 2
    except CodexError as error:
        _say(f"Error: {error}")
        return 1
    except BrokenPipeError:
        _discard_stdout()
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except Exception as error:  # the outermost frame: a person is never shown a traceback
        return _unexpected(error)


def _dispatch(program: str, arguments: list[str]) -> int:
    if program in _PATCH_NAMES or arguments[:1] == [_PATCH_FLAG]:
        from codex_kernel.patch.cli import main as apply_patch

        return apply_patch(arguments, sys.stdin.buffer, sys.stdout, sys.stderr)
    parsed = parse(ROOT, arguments)
    if parsed.flag("help"):
        from codex_cli.help_text import help_for

        return _print(help_for(parsed.chain))
    if parsed.flag("version"):
        from codex_protocol.version import VERSION

        return _print(f"codex-cli {VERSION}\n")
    return _run(parsed)


_WITHOUT_SETTINGS = frozenset({"completion", "help"})


def _load_user_variables() -> None:
    """`$CODEX_HOME/.env`, when there is one; never a project's."""
    home = os.environ.get("CODEX_HOME") or os.path.expanduser("~/.codex")
    if os.path.lexists(os.path.join(home, ".env")):
        from codex_kernel.config.env_file import load_env_file
        from codex_store.home import find_home

        load_env_file(find_home(), os.environ)


def _run(parsed: Parsed) -> int:
    if parsed.chain[-1].later:
        raise CodexError(parsed.chain[-1].later)
    if not parsed.path or parsed.path[0] not in _WITHOUT_SETTINGS:
        _load_user_variables()
    match parsed.path:
        case ("exec", *_) | ("review",):
            return _exec(parsed)
        case ("proto",):
            from codex_cli.proto_command import run_proto_command

            return run_proto_command(parsed)
        case ("login", *_) | ("logout",):
            from codex_cli.login_command import run_login_command

            return run_login_command(parsed)
        case ("mcp", *_) | ("mcp-server",):
            from codex_cli.mcp_command import run_mcp_command

            return run_mcp_command(parsed)
        case ("sandbox",) | ("debug", _):
            from codex_cli.sandbox_command import run_sandbox_command

            return run_sandbox_command(parsed)
        case ("kernel", "install"):
            from codex_cli.kernel_command import run_kernel_command

            return run_kernel_command(parsed)
        case ("threads",):
            from codex_cli.threads_command import run_threads_command

            return run_threads_command(parsed)
        case ("archive",) | ("unarchive",) | ("delete",):
            from codex_cli.thread_changes_command import run_thread_changes_command

            return run_thread_changes_command(parsed)
        case ("apply",):
            from codex_cli.apply_command import run_apply_command

            return run_apply_command(parsed)
        case ("export",):
            from codex_cli.export_command import run_export_command

            return run_export_command(parsed)
        case ("search",):
            from codex_cli.search_command import run_search_command

            return run_search_command(parsed)
        case ("features", _):
            from codex_cli.features_command import run_features_command

            return run_features_command(parsed)
        case ("doctor",):
            from codex_cli.doctor_command import run_doctor_command

            return run_doctor_command(parsed)
        case ("rules", _):
            from codex_cli.rules_command import run_rules_command

            return run_rules_command(parsed)
        case ("execpolicy", _):
            from codex_cli.execpolicy_command import run_execpolicy_command

            return run_execpolicy_command(parsed)
        case ("hooks", _):
            from codex_cli.hooks_command import run_hooks_command

            return run_hooks_command(parsed)
        case ("completion",):
            from codex_cli.completion import completion_script

            return _print(completion_script(parsed.words[0] if parsed.words else "bash"))
        case ("help",):
            return _help(parsed)
        case () | ("resume",) | ("fork",):
            from codex_cli.page_command import run_page_command

            return run_page_command(parsed)
        case _:
            raise CommandLineError(f"'{' '.join(('codex', *parsed.path))}' needs a subcommand", parsed.chain)


def _exec(parsed: Parsed) -> int:
    from codex_cli.bytecode_bundle import use_bundle

    bundle = use_bundle("exec")
    from codex_cli.lean_imports import load_msgspec_and_asyncio

    load_msgspec_and_asyncio()
    from codex_cli.exec_command import run_exec_command

    code = run_exec_command(parsed)
    if code == 0 and bundle is not None:
        bundle.keep()
    return code


def _help(parsed: Parsed) -> int:
    from codex_cli.help_text import help_for

    chain = (ROOT,)
    for word in parsed.words:
        command = chain[-1].find(word)
        if command is None:
            raise CommandLineError(f"there is no command '{' '.join(part.name for part in chain)} {word}'", chain)
        if command.later:
            raise CodexError(command.later)
        chain = (*chain, command)
    return _print(help_for(chain))


def _print(text: str) -> int:
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0


def _say(text: str) -> None:
    from codex_render.safe_text import visible

    try:
        sys.stderr.write(visible(text) + "\n")  # it may name a folder or quote a file that means no good
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # nobody can be told


def _unexpected(error: Exception) -> int:
    if os.environ.get("CODEX_LOG", "").strip().lower() in ("debug", "trace"):
        import traceback

        traceback.print_exc()
    name = type(error).__name__
    _say(f"Error: codex failed unexpectedly ({name}: {error}); CODEX_LOG=debug shows where, please report it.")
    return 1


def _open_standard_streams() -> None:
    """Descriptors 0 to 2 always stand for something: a file opened later must not become our stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _discard_stdout() -> None:
    """The reader has gone: what is still buffered must not raise again when the interpreter ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    run()
