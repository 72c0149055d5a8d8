"""Files of the thread's directory for `@` completion."""

from __future__ import annotations

from pathlib import Path


async def find_paths(cwd: Path, query: str, limit: int) -> list[str]:
    """Paths below `cwd` that fit `query`, the best first; relative, with forward slashes."""
    import asyncio

    from codex_kernel.sandbox.git import git_root, ls_files

    if git_root(cwd) is not None:
        names = [*await ls_files(cwd), *await ls_files(cwd, "untracked")]
    else:
        names = await asyncio.to_thread(_walk, cwd)
    wanted = query.casefold()
    begins = [name for name in names if name.casefold().startswith(wanted)]
    holds = [name for name in names if wanted in name.casefold() and not name.casefold().startswith(wanted)]
    return [*begins, *holds][:limit]


def _walk(cwd: Path) -> list[str]:
    import os

    found: list[str] = []
    for folder, folders, files in os.walk(cwd):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.relpath(os.path.join(folder, name), cwd) for name in sorted(files)]
        if len(found) > 20_000:
            break
    return found
