"""What a command line may hold, as tables: parser, help and shell completion all read these.

Plain classes without annotations that need `typing`: `codex --version` imports this and little else.
"""

from __future__ import annotations


class Option:
    """One option of a command.

    Attributes:
        names: Every spelling, the long one last: `("-m", "--model")`.
        metavar: Name of the value in help texts; None for a switch.
        help: One line; the empty string hides the option from help and completion.
        choices: The only values taken; empty when any is.
        repeat: Every occurrence counts, in order; otherwise the last one wins.
        completes: What a shell offers for the value: `file`, `dir` or nothing.
        aliases: Further spellings that help does not mention.
    """

    __slots__ = ("aliases", "choices", "completes", "help", "metavar", "names", "repeat")

    def __init__(
        self,
        *names: str,
        help: str,
        metavar: str | None = None,
        choices: tuple[str, ...] = (),
        repeat: bool = False,
        completes: str = "",
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.choices = choices
        self.repeat = repeat
        self.completes = completes
        self.aliases = aliases

    @property
    def key(self) -> str:
        """The name under which the parser hands the value over: `--add-dir` is `add_dir`."""
        return self.names[-1].lstrip("-").replace("-", "_")


class Command:
    """A command or subcommand.

    Attributes:
        name: As typed.
        summary: One line for help; the empty string hides it.
        options: What it takes itself. Options given before a subcommand's name reach the subcommand when it takes them.
        arguments: Names of the positionals in order; `[NAME]` may be left out, a last `NAME...` takes what remains.
        subcommands: Recognised as the first positional only.
        inherits: Its parent's options may follow its name too.
        rest: From the first positional on everything belongs to the program to run, options included.
        later: Why it cannot be used in this release, as one sentence; empty when it can.
        details: More for `--help`, as paragraphs.
    """

    __slots__ = (
        "aliases",
        "arguments",
        "details",
        "inherits",
        "later",
        "name",
        "options",
        "rest",
        "subcommands",
        "summary",
    )

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        options: tuple[Option, ...] = (),
        arguments: tuple[str, ...] = (),
        subcommands: tuple[Command, ...] = (),
        aliases: tuple[str, ...] = (),
        inherits: bool = False,
        rest: bool = False,
        later: str = "",
        details: str = "",
    ) -> None:
        self.name = name
        self.summary = summary
        self.options = options
        self.arguments = arguments
        self.subcommands = subcommands
        self.aliases = aliases
        self.inherits = inherits
        self.rest = rest
        self.later = later
        self.details = details

    def find(self, word: str) -> Command | None:
        """The subcommand of that name or alias."""
        for command in self.subcommands:
            if word == command.name or word in command.aliases:
                return command
        return None
