"""Tokens as providers count them."""

from __future__ import annotations

import msgspec


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one response, or summed over a thread. `cached_input_tokens` is part of `input_tokens`."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            cache_write_input_tokens=self.cache_write_input_tokens + other.cache_write_input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_output_tokens=self.reasoning_output_tokens + other.reasoning_output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )

    def blended(self) -> int:
        """Input that was not cached, plus output: what a person is shown as "tokens used"."""
        return max(0, self.input_tokens - self.cached_input_tokens) + self.output_tokens

    def in_context(self) -> int:
        """Tokens the next request starts from: the total without reasoning, which is not sent back."""
        return max(0, self.total_tokens - self.reasoning_output_tokens)
