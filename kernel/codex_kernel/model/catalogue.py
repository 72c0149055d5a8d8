"""What is known of models by name: windows, reasoning, which tools they take. Any other name works with a fallback.

Source: spec/agent-loop.md section 11, spec/modern-features.md section 3. Windows of current models are what input may
fill; where nobody published one, the smallest of the family stands here: compacting early loses less than failing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from codex_kernel.config.types import Config
from codex_protocol.policy import Effort

DEFAULT_MODEL = "gpt-5.5"
DEMO_MODEL = "demo"


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one model."""

    slug: str
    """The name as configured."""
    family: str
    context_window: int | None = None
    """Tokens; None: unknown."""
    max_output_tokens: int | None = None
    supports_reasoning_summaries: bool = False
    """Whether reasoning settings (effort, summary) may be sent."""
    default_effort: Effort | None = None
    """None: the provider's own."""
    verbosity: bool = False
    """Whether a verbosity may be sent."""
    local_shell: bool = False
    """Whether it has the provider's built-in shell tool."""
    apply_patch: Literal["freeform", "function"] = "function"
    """The form of the patch tool it takes best; providers that speak Chat Completions get a function in any case."""
    needs_patch_instructions: bool = False
    """Whether the patch format must be explained besides the tool's description."""
    parallel_tool_calls: bool = True
    known: bool = True
    """False: the name is not in the catalogue, and the facts are a guess that works everywhere."""

    @property
    def supports_reasoning(self) -> bool:
        """Whether it is a reasoning model, as far as known."""
        return self.supports_reasoning_summaries


class _Family(msgspec.Struct, frozen=True):
    prefix: str
    window: int | None = None
    max_output: int | None = None
    reasoning: bool = False
    effort: Effort | None = None
    verbosity: bool = False
    local_shell: bool = False
    apply_patch: Literal["freeform", "function"] = "function"
    needs_patch_instructions: bool = False


_M = Effort.MEDIUM
_CURRENT = (272_000, 128_000, True, _M, True, False, "freeform")
_FAMILIES = (  # the first whose prefix fits wins
    _Family("o3", 200_000, 100_000, True, _M),
    _Family("o4-mini", 200_000, 100_000, True, _M),
    _Family("codex-mini-latest", 200_000, 100_000, True, _M, False, True),
    _Family("codex-", 400_000, 128_000, True, _M, False, False, "freeform"),
    _Family("gpt-4.1", 1_047_576, 32_768, needs_patch_instructions=True),
    _Family("gpt-oss", 96_000, 32_000),
    _Family("gpt-4o", 128_000, 16_384, needs_patch_instructions=True),
    _Family("gpt-3.5", 16_385, 4_096, needs_patch_instructions=True),
    _Family("gpt-6.1", *_CURRENT),
    _Family("gpt-6", *_CURRENT),
    _Family("gpt-5.", *_CURRENT),
    _Family("gpt-5", 400_000, 128_000, True, _M, True, False, "freeform"),
)
_DEMO = _Family(DEMO_MODEL, None, None)
KNOWN_MODELS = (
    DEFAULT_MODEL,
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-6-sol",
    "gpt-6-astra",
    "gpt-6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-5.6-luna",
    "gpt-5",
    "gpt-5-codex",
    "codex-mini-latest",
    "o3",
    "o4-mini",
    "gpt-4.1",
    "gpt-4o",
    "gpt-oss-20b",
    "gpt-oss-120b",
)
"""Names to offer where a person chooses one; every other name is taken as well."""
_OTHER_OUTPUT = {"gpt-4o-2024-05-13": 4_096}


def model_info(slug: str, config: Config | None = None) -> ModelInfo:
    """The facts of the model `slug`; a name that no family fits gets careful guesses and `known` False.

    Args:
        slug: As configured, also with what local servers put before and after it: `openai/gpt-oss-20b`, `gpt-oss:20b`.
        config: Its settings win over the catalogue's.
    """
    name = slug.rpartition("/")[2].lower()
    family = next((entry for entry in (*_FAMILIES, _DEMO) if name.startswith(entry.prefix)), None)
    window = config.model_context_window if config is not None else None
    max_output = config.model_max_output_tokens if config is not None else None
    if family is None:
        reasons = config is not None and config.model_supports_reasoning_summaries
        return ModelInfo(
            slug=slug,
            family=slug,
            context_window=window,
            max_output_tokens=max_output,
            supports_reasoning_summaries=reasons,
            needs_patch_instructions=True,
            known=False,
        )
    return ModelInfo(
        slug=slug,
        family=family.prefix.rstrip("-."),
        context_window=window or family.window,
        max_output_tokens=max_output or _OTHER_OUTPUT.get(name) or family.max_output,
        supports_reasoning_summaries=family.reasoning,
        default_effort=family.effort,
        verbosity=family.verbosity,
        local_shell=family.local_shell,
        apply_patch=family.apply_patch,
        needs_patch_instructions=family.needs_patch_instructions,
    )
