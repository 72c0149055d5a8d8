"""`view_image`: the model looks at a local image. Source: spec/tools.md section 8; the image is part of the output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.images import UnreadableImage, load_image
from codex_kernel.tools.interface import BadArguments, ToolOutput, decode_arguments, object_schema
from codex_protocol.events import ImageViewed
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext


class _Arguments(msgspec.Struct, frozen=True):
    path: str


class ViewImage:
    """Answers with the image at a path."""

    names = ("view_image",)
    parallel = True

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Offered unless switched off."""
        if not offer.config.tools.view_image:
            return None
        return FunctionTool(
            name="view_image",
            description="Shows you a local image file.",
            parameters=object_schema(
                {"path": {"type": "string", "description": "Absolute, or relative to the working directory."}},
                required=("path",),
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Read the image."""
        if not isinstance(call, FunctionCall):
            raise BadArguments("view_image is a function tool")
        path = context.cwd / decode_arguments(call.arguments, _Arguments).path
        try:
            image = await asyncio.to_thread(load_image, path, context.sandbox.may_read)
        except UnreadableImage as error:
            return ToolOutput(f"unable to view the image: {error}", success=False)
        return ToolOutput((image,), after=(ImageViewed(call_id=context.call_id, path=str(path)),))
