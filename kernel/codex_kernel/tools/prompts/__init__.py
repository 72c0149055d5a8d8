"""Tool descriptions too long for a line of code, one file each beside this one."""

from codex_kernel.prompt_files import prompt_loader

__all__ = ["prompt_text"]

prompt_text = prompt_loader(__file__)
