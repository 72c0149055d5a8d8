"""A command line, taken apart by the tables: options before and after subcommands and positionals, in any order."""

from __future__ import annotations

from codex_cli.options import Command, Option
from codex_protocol.errors import UsageError


class CommandLineError(UsageError):
    """The command line is malformed.

    Attributes:
        chain: The commands recognised so far, the root first; the last one's usage helps.
    """

    def __init__(self, message: str, chain: tuple[Command, ...]) -> None:
        super().__init__(message)
        self.chain = chain


class Parsed:
    """A command line taken apart.

    Attributes:
        chain: The commands named, the root first.
        words: The positionals, in order.
        values: Option keys to values: True for a switch, else every value given, in order.
    """

    __slots__ = ("chain", "values", "words")

    def __init__(self, root: Command) -> None:
        self.chain: tuple[Command, ...] = (root,)
        self.words: list[str] = []
        self.values: dict[str, list[str] | bool] = {}

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the subcommands, as in `("exec", "resume")`."""
        return tuple(command.name for command in self.chain[1:])

    def flag(self, key: str) -> bool:
        """Whether the switch was given."""
        return key in self.values

    def one(self, key: str) -> str | None:
        """The option's last value; None when it was not given."""
        values = self.values.get(key)
        return values[-1] if isinstance(values, list) else None

    def many(self, key: str) -> tuple[str, ...]:
        """Every value of the option, in order."""
        values = self.values.get(key)
        return tuple(values) if isinstance(values, list) else ()


HELP = Option("-h", "--help", help="Print help")
VERSION_OPTION = Option("-V", "--version", help="Print the version")


def parse(root: Command, arguments: list[str]) -> Parsed:
    """The command line taken apart; `--help` and `--version` end parsing and are switches like any other.

    Raises:
        CommandLineError: An unknown option or subcommand, a missing or impossible value, too many words.
    """
    return _Parse(root, arguments).run()


def options_of(chain: tuple[Command, ...]) -> tuple[Option, ...]:
    """What may follow the last command's name: its own options, its parents' where it inherits, and help."""
    own: list[Option] = []
    for position in range(len(chain) - 1, -1, -1):
        own.extend(chain[position].options)
        if not chain[position].inherits:
            break
    extra = (HELP, VERSION_OPTION) if len(chain) <= 2 else (HELP,)
    return (*own, *extra)


class _Parse:
    def __init__(self, root: Command, arguments: list[str]) -> None:
        self._result = Parsed(root)
        self._known = _by_name(options_of((root,)))
        self._early: list[Option] = []  # given before a subcommand's name: it must know them
        self._pending = list(reversed(arguments))

    def run(self) -> Parsed:
        result = self._result
        while self._pending:
            word = self._pending.pop()
            if word == "--":
                self._words_only()
            elif self._is_option(word):
                self._option(word)
                if result.flag("help") or result.flag("version"):
                    return result
            elif not result.words and (command := result.chain[-1].find(word)) is not None:
                self._enter(command)
            else:
                result.words.append(word)
                if result.chain[-1].rest:
                    self._words_only()
        self._check_words()
        return result

    def _words_only(self) -> None:
        self._result.words.extend(reversed(self._pending))
        self._pending.clear()

    def _enter(self, command: Command) -> None:
        self._result.chain = (*self._result.chain, command)
        self._known = _by_name(options_of(self._result.chain))
        if command.later:
            self._words_only()
            return
        for option in self._early:
            if option.names[-1] not in self._known:
                raise self._error(f"'{option.names[-1]}' has no meaning for '{_title(self._result.chain)}'")

    def _is_option(self, word: str) -> bool:
        if len(word) < 2 or word[0] != "-":
            return False
        if word[:2] in self._known or word.partition("=")[0] in self._known:
            return True
        # "- fix this" or "--- a prompt" is text: no option's name has a blank in it.
        return not any(character.isspace() for character in word.partition("=")[0])

    def _option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        option = self._known.get(name)
        if option is None and word[1] != "-":
            option = self._known.get(word[:2])
            if option is not None and option.metavar is None:
                self._pending.append("-" + word[2:])  # -ab is -a -b
                name, equals, value = word[:2], "", ""
            else:
                name, equals, value = word[:2], "=", word[2:]
        if option is None:
            raise self._error(self._unknown(word))
        if option.metavar is None:
            if equals:
                raise self._error(f"'{name}' takes no value, but got '{value}'")
            self._result.values[option.key] = True
        else:
            self._take(option, value if equals else self._next_value(option))
        if len(self._result.chain) == 1 and option is not HELP and option is not VERSION_OPTION:
            self._early.append(option)

    def _next_value(self, option: Option) -> str:
        wanted = f"'{option.names[-1]}' needs a value: {option.metavar}"
        if not self._pending:
            raise self._error(wanted)
        value = self._pending[-1]
        if value != "-" and value.startswith("-") and (value == "--" or value.partition("=")[0] in self._known):
            raise self._error(f"{wanted}; use '{option.names[-1]}={value}' when the value begins with a dash")
        return self._pending.pop()

    def _take(self, option: Option, value: str) -> None:
        if option.choices and value not in option.choices:
            hint = _nearest(value, option.choices)
            raise self._error(
                f"'{value}' is no value for '{option.names[-1]}'; it takes {', '.join(option.choices)}{hint}"
            )
        values = self._result.values.setdefault(option.key, [])
        if isinstance(values, list):
            if not option.repeat:
                values.clear()
            values.append(value)

    def _unknown(self, word: str) -> str:
        name = word.partition("=")[0]
        names = tuple(n for option in self._known.values() if option.help for n in option.names)
        return f"unknown option '{name}' for '{_title(self._result.chain)}'{_nearest(name, names)}"

    def _check_words(self) -> None:
        command = self._result.chain[-1]
        words = self._result.words
        if command.later:
            return
        if command.subcommands and not command.arguments:
            names = tuple(sub.name for sub in command.subcommands)
            if words:
                raise self._error(
                    f"unknown subcommand '{words[0]}' for '{_title(self._result.chain)}'{_nearest(words[0], names)}"
                )
            return
        required = [name for name in command.arguments if not name.startswith("[")]
        if len(words) < len(required):
            raise self._error(f"'{_title(self._result.chain)}' needs {' '.join(required[len(words) :])}")
        if command.arguments and command.arguments[-1].rstrip("]").endswith("..."):
            return
        if len(words) > len(command.arguments):
            extra = words[len(command.arguments)]
            raise self._error(f"unexpected argument '{_shortened(extra)}' for '{_title(self._result.chain)}'")

    def _error(self, message: str) -> CommandLineError:
        return CommandLineError(message, self._result.chain)


def _by_name(options: tuple[Option, ...]) -> dict[str, Option]:
    table: dict[str, Option] = {}
    for option in options:
        for name in (*option.names, *option.aliases):
            table.setdefault(name, option)
    return table


def _title(chain: tuple[Command, ...]) -> str:
    return " ".join(command.name for command in chain)


def _nearest(word: str, candidates: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, candidates, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
