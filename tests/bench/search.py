"""`python -m tests.bench.search`: file search, ours in this process and the newest release's over its app-server.

Both search the same generated tree in the same run, query after query, so that load hits both alike. The release has
walked the tree before its queries are timed (a session); ours has read git's list. Every keystroke of each word is one
query. Its figures include a message each way over a pipe, ours a hop to a thread and back.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from codex_kernel.sandbox.git import ls_files
from codex_kernel.search.file_search import FileSearch
from tests.support.file_trees import make_paths, write_tree
from tests.support.peers import PeerMissingError
from tests.support.upstream_search import UpstreamSearch

_ASKED = "parser|widgetmodel|src|session_token|usr auth|json|core/util|main.py|zzz"
WORDS = _ASKED.split("|")


async def measure(root: Path, upstream: UpstreamSearch | None, rounds: int, *, fast: bool) -> dict[str, list[float]]:
    """Milliseconds by what was measured."""
    figures: dict[str, list[float]] = {"first answer": [], "everything known": [], "keystroke": [], "alone": []}
    search = FileSearch(root, list_files=ls_files, fast=fast)
    began = time.perf_counter()
    await search.search("a")
    figures["first answer"].append(_since(began))
    await search.index.settled()
    figures["everything known"].append(_since(began))
    candidates = search.index.candidates
    assert candidates is not None
    if upstream is not None:
        figures["theirs: first answer"] = [_timed(lambda: upstream.begin_session("bench", root, "a"))]
        figures["theirs: keystroke"] = []
    for _ in range(rounds):
        for word in WORDS:
            for end in range(1, len(word) + 1):
                began = time.perf_counter()
                await search.search(word[:end])
                figures["keystroke"].append(_since(began))
                if upstream is not None:
                    query = word[:end]
                    figures["theirs: keystroke"].append(_timed(lambda query=query: upstream.type("bench", query)))
            await search.search("")  # what comes next does not go on from it
            began = time.perf_counter()
            await search.search(word)
            figures["alone"].append(_since(began))
    await search.close()
    return figures


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _timed(call: object) -> float:
    began = time.perf_counter()
    call()  # type: ignore[operator]
    return _since(began)


def main() -> int:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-upstream", action="store_true")
    parser.add_argument("--plain", action="store_true", help="without frizbee")
    args = parser.parse_args()
    for count in args.files:
        with tempfile.TemporaryDirectory(prefix="codex-search-", dir="/var/tmp") as folder:
            root = Path(folder)
            write_tree(root, make_paths(count))
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
            subprocess.run(["git", "add", "."], cwd=root, check=True)
            upstream = None
            try:
                upstream = None if args.without_upstream else UpstreamSearch()
                figures = asyncio.run(measure(root, upstream, args.rounds, fast=not args.plain))
            except PeerMissingError as error:
                print(error)
                return 1
            finally:
                if upstream is not None:
                    upstream.close()
        print(f"\n{count:,} files; milliseconds\n\n| | median | 95 % | most | n |\n|---|---|---|---|---|")
        for name, values in figures.items():
            high = sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]
            print(f"| {name} | {statistics.median(values):.1f} | {high:.1f} | {max(values):.1f} | {len(values)} |")
        print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
