"""The demo model: a fixed program in the place of a model, to show the agent at work without a network or a key.

It gives a tour of the directory with the tools it is offered, and claims nothing that a command did not print. It
keeps nothing between requests: what to do next follows from the outputs of its own calls in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping

from codex_kernel.model.demo_calls import Offer
from codex_kernel.model.demo_commands import (
    LANGUAGES,
    MAIN_FUNCTIONS,
    TOUR,
    check_tour,
    first_look,
    head,
    line_counts,
    lines_of,
    main_functions,
    old_tour,
    survey,
)
from codex_kernel.model.demo_history import Result, Turn, read_turn
from codex_kernel.model.demo_patch import is_ours, tour_patch
from codex_kernel.model.demo_tour import Facts, add_contents, lines_in, summary_text, survey_facts, tour_text
from codex_kernel.model.interface import Completed, Created, ItemDone, Prompt, ResponseEvent, TextDelta
from codex_kernel.model.scripted import text_deltas
from codex_protocol.items import Item, Message, assistant_message

TOUR_PROMPT = "Give me a tour of this directory and write it down."
"""Asks for the tour; what `--demo` asks without a prompt."""
WHO = "I am the demo model built into Codex: a fixed program, no language model."
_TOUR = re.compile(r"\btour\b|look around|what is (?:in )?(?:here|this (?:project|repo\w*|directory|folder))", re.I)
_RUN = re.compile(r"\s*(?:run\s+`([^`]+)`|[$!]\s*([^\n]+))\W*", re.IGNORECASE)
_MAX_POLLS = 8
_MAX_LINES_FILES = 20_000
"""Lines are counted where there are at most so many files of the main language."""
_STEPS = ("Look around with commands that only read", f"Write {TOUR} with a patch", "Check what was written")


class DemoModel:
    """A `ModelClient` that needs no provider."""

    stream_max_retries = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ResponseEvent, None]:
        """The demo's next step."""
        yield Created()
        for item in next_items(prompt):
            if isinstance(item, Message):
                for delta in text_deltas(item.text()):
                    yield TextDelta(delta.delta)
            yield ItemDone(item)
        yield Completed("demo", None)

    async def aclose(self) -> None:
        """Nothing to close."""


def next_items(prompt: Prompt) -> list[Item]:
    """What the demo model answers to a prompt."""
    turn = read_turn(prompt.input)
    offer = Offer(prompt)
    asked, _, _ = turn.request.lstrip().partition("\n")  # a change to review or what was piped in may stand below
    if _TOUR.search(asked) and prompt.tools:
        return _Tour(turn, offer).next_items()
    command = _RUN.fullmatch(turn.request)
    if command and offer.command is not None:
        return _run_one((command[1] or command[2]).strip(), turn, offer)
    return [assistant_message(_other_answer(turn))]


class _Tour:
    """The tour, one response at a time: what was called tells where it stands."""

    def __init__(self, turn: Turn, offer: Offer) -> None:
        self._turn = turn
        self._offer = offer
        self._results = _settled(turn)
        self._writes = offer.patch and not turn.read_only
        self._steps = _STEPS if self._writes else _STEPS[:1]

    def next_items(self) -> list[Item]:
        """The next response of the tour."""
        called, offer = self._turn.called, self._offer
        if offer.command is None:
            return [
                assistant_message(f"{WHO} I was offered no tool that runs commands, so that I can see nothing here.")
            ]
        if "top" not in called:
            text = f"{WHO} {self._intention()}"
            return [assistant_message(text), *offer.show_plan("plan", self._steps, 0), *self._commands(first_look())]
        waiting = self._waits()
        if waiting:
            return waiting
        if not any(result.ran for result in self._results.values()):
            return [assistant_message(self._blind())]
        facts = survey_facts(self._name(), self._results)
        if "kinds" not in called:
            return self._commands(survey(facts.top, tracked=facts.tracked > 0))
        contents = self._contents(facts)
        if contents and not called & contents.keys():
            return self._commands(contents)
        add_contents(facts, self._results)
        if self._writes and "patch" not in called:
            writing = self._write(facts)
            if writing:
                return writing
        if "patch" in called and self._wrote() and "check" not in called:
            return [*offer.show_plan("plan_check", self._steps, 2), offer.run("check", check_tour())]
        if offer.plan and "plan_end" not in called:
            return offer.show_plan("plan_end", self._steps, self._steps_done(facts), ended=True)
        return [assistant_message(self._end(facts))]

    def _intention(self) -> str:
        if self._writes:
            return f"I look around, write what I find to {TOUR}, and check it."
        if self._turn.read_only:
            return f"I look around. The sandbox is read-only here, so that I will not write {TOUR}."
        return "I look around. I was offered no tool that writes files, so that I only tell what I find."

    def _commands(self, commands: Mapping[str, str]) -> list[Item]:
        return [self._offer.run(label, command) for label, command in commands.items()]

    def _waits(self) -> list[Item]:
        """Calls that wait for the commands that run on."""
        running = {label: result for label, result in self._results.items() if result.session is not None}
        waits: list[Item] = []
        for label, result in running.items():
            polls = sum(called.startswith(f"{label}_wait") for called in self._turn.called)
            if self._offer.poll and polls < _MAX_POLLS and result.session is not None:
                waits.append(self._offer.wait(f"{label}_wait{polls}", result.session))
        return waits

    def _contents(self, facts: Facts) -> dict[str, str]:
        """Commands of the third round: single files, and the main language's lines."""
        commands: dict[str, str] = {}
        readme, licence = facts.first("readme"), facts.first("licen", "unlicen", "copying")
        if readme is not None:
            commands["readme"] = head(readme, lines=30)
        if licence is not None:
            commands["licence"] = head(licence, lines=30)
        sized = [*facts.claimed[:20], *facts.entries(), *facts.builds(), *([licence] if licence else [])]
        if sized:
            commands["sizes"] = line_counts(sized)
        languages = facts.languages()
        if languages and languages[0][1] <= _MAX_LINES_FILES:
            language, tracked = languages[0][0], facts.tracked > 0
            commands["main"] = lines_of(LANGUAGES[language], tracked=tracked)
            if language in MAIN_FUNCTIONS:
                commands["mains"] = main_functions(language, tracked=tracked)
        if TOUR in facts.top:
            commands["old"] = old_tour()
        return commands

    def _write(self, facts: Facts) -> list[Item] | None:
        """The call that writes the tour; None when there is nothing to write."""
        old = self._old()
        if facts.total is None or (TOUR in facts.top and (old is None or not is_ours(old))):
            return None
        patch = tour_patch(old, tour_text(facts))
        if patch is None:
            return None
        verb = "bring up to date" if old is not None else "write"
        text = f"I have seen enough, and {verb} {TOUR}."
        plan = self._offer.show_plan("plan_write", self._steps, 1)
        return [assistant_message(text), *plan, self._offer.write("patch", patch)]

    def _old(self) -> str | None:
        result = self._results.get("old")
        return result.text if result is not None and result.exit_code == 0 else None

    def _wrote(self) -> bool:
        result = self._results.get("patch")
        return result is not None and (result.exit_code == 0 or result.text.startswith("Success"))

    def _steps_done(self, facts: Facts) -> int:
        if not self._writes:
            return 1
        old = self._old()
        up_to_date = "patch" not in self._turn.called and old is not None and is_ours(old) and facts.total is not None
        return len(self._steps) if self._wrote() or up_to_date else 1

    def _end(self, facts: Facts) -> str:
        parts = [WHO, summary_text(facts) if facts.total is not None else "My commands did not tell what lies here."]
        parts.append(self._written(facts))
        refused = [result.text for label, result in self._results.items() if _is_refused_command(label, result)]
        if refused:
            parts.append(f"{len(refused)} of my commands were not run; the answer was: {refused[0]}")
        if any(result.session is not None for result in self._results.values()):
            parts.append("Not every command had ended when I stopped waiting.")
        if self._turn.added:
            parts.append("What you wrote in the meantime I cannot answer: I know only this tour.")
        return " ".join(part for part in parts if part)

    def _written(self, facts: Facts) -> str:
        if not self._writes:
            return (
                "Nothing was written: the sandbox is read-only here."
                if self._turn.read_only
                else "Nothing was written."
            )
        if self._wrote():
            lines = lines_in(self._results.get("check"))
            count = re.match(r"\s*(\d+)", lines[0]) if lines else None
            checked = f" and has {count[1]} lines, as `wc -l` counts them" if count else ", but could not be checked"
            return f"The tour is in {TOUR}{checked}."
        patch = self._results.get("patch")
        if patch is not None:
            return f"{TOUR} could not be written: {patch.text}"
        old = self._old()
        if old is not None and is_ours(old):
            return f"{TOUR} says all of this already, so that I left it as it is."
        if TOUR in facts.top:
            return f"There is a {TOUR} that I did not write, so that I left it as it is."
        return "Nothing was written."

    def _blind(self) -> str:
        reason = next((result.text for label, result in self._results.items() if label == "top"), "")
        return (
            f"{WHO} I could not look around: my commands were not run. The answer was: {reason or 'none'} "
            "So I go without them, have seen nothing, claim nothing and write nothing."
        )

    def _name(self) -> str:
        name = (self._turn.cwd or "").rstrip("/").rpartition("/")[2]
        return re.sub(r"[\x00-\x1f\x7f`<>]", "?", name) or "this directory"


def _settled(turn: Turn) -> dict[str, Result]:
    """The results with what waiting for them brought: the output of all waits, the state of the last."""
    results: dict[str, Result] = {}
    for label, result in turn.results.items():
        name, waited, _ = label.partition("_wait")
        before = results.get(name) if waited else None
        text = before.text + result.text if before is not None else result.text
        results[name] = Result(text, result.exit_code, result.session)
    return results


def _is_refused_command(label: str, result: Result) -> bool:
    return not label.startswith(("plan", "patch")) and not result.ran and result.session is None


def _run_one(command: str, turn: Turn, offer: Offer) -> list[Item]:
    if "run" not in turn.called:
        return [assistant_message(f"{WHO} I run what you wrote."), offer.run("run", command)]
    result = turn.results.get("run")
    if result is None or not result.ran:
        reason = result.text if result is not None and result.session is None else "it still runs"
        return [assistant_message(f"{WHO} The command did not end: {reason}")]
    n = len(result.text.splitlines())
    text = f"{WHO} The command exited with code {result.exit_code}; I was shown {n} {'line' if n == 1 else 'lines'}."
    return [assistant_message(text)]


def _other_answer(turn: Turn) -> str:
    shown = " ".join(turn.request.split())
    about = f" “{shown if len(shown) <= 60 else shown[:59] + '…'}”" if shown else " this"
    return (
        f"{WHO} I cannot answer{about}. I can do two things: give a tour of the directory (“{TOUR_PROMPT}”), and run "
        "one command (“run `ls`”). For anything else choose a real model: set OPENAI_API_KEY or run `codex login`, or "
        "use `--oss` for a model on this machine."
    )
