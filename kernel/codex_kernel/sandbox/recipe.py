"""From a plan and the layers this machine has to what a helper is told."""

from __future__ import annotations

import os

from codex_kernel.sandbox.inside.shapes import Limits, Recipe, View
from codex_kernel.sandbox.inside.shapes import Mask as HiddenPath
from codex_kernel.sandbox.layers import Layer
from codex_kernel.sandbox.plan import Confinement, covers

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")


def confined_recipe(plan: Confinement, layers: frozenset[Layer], *, inside_bwrap: bool = False) -> Recipe:
    """How to carry out `plan` with `layers`.

    Args:
        plan: Its placeholders exist by now.
        layers: At least one.
        inside_bwrap: The helper starts in namespaces that bubblewrap has built from the same plan.

    Raises:
        OSError: Something of the plan is gone; plan again.
    """
    own = Layer.NAMESPACES in layers and not inside_bwrap
    private = own or inside_bwrap
    private_network = private and not plan.network
    return Recipe(
        confined=True,
        view=_view(plan, private_network) if own else None,
        pins=_pins(plan, hidden_too=not inside_bwrap),
        pid_namespace=own,
        private_network=private_network,
        landlock=Layer.LANDLOCK in layers,
        seccomp=Layer.SECCOMP in layers,
        inet=private_network or plan.network,
        unix=private and Layer.SECCOMP in layers,
        private_ipc=private,
        writable=[*plan.roots, *(["/dev/shm"] if private else [])],  # noqa: S108 - the sandbox's own
        devices=[f"/dev/{name}" for name in DEVICES],
        limits=_limits(plan, counted_for_us=private),
    )


def unconfined_recipe() -> Recipe:
    """A helper that only keeps track of the tree: the user's own rights, no limit of ours."""
    return Recipe(
        confined=False,
        view=None,
        pins=[],
        pid_namespace=False,
        private_network=False,
        landlock=False,
        seccomp=False,
        inet=True,
        unix=False,
        private_ipc=False,
        writable=[],
        devices=[],
        limits=Limits(
            processes=None, rlimit_processes=None, file_bytes=None, memory_bytes=None, free_disk_bytes=None, disks=[]
        ),
    )


def _view(plan: Confinement, private_network: bool) -> View:
    return View(
        private_network=private_network,
        roots=[
            *((path, *identity) for path, identity in zip(plan.roots, plan.identities, strict=True)),
            *(entry for path in plan.anchors if (entry := _identified(path)) is not None),
        ],
        read_only=[
            *((path, found.st_dev, found.st_ino) for path in plan.read_only if (found := os.lstat(path))),
            *(entry for path in plan.placeholders if (entry := _identified(path)) is not None),
        ],
        masks=[
            HiddenPath(path=mask.path, directory=os.path.isdir(mask.path), keep=list(mask.keep)) for mask in plan.masks
        ],
        shm_bytes=plan.shm_bytes,
    )


def _pins(plan: Confinement, *, hidden_too: bool) -> list[tuple[str, int, int]]:
    """Every existing path of the plan. From inside bubblewrap what is hidden shows its cover, not itself."""
    paths = [*plan.roots, *plan.read_only, *plan.placeholders]
    if hidden_too:
        paths += [mask.path for mask in plan.masks]
    else:
        paths = [path for path in paths if not any(covers(mask, path) for mask in plan.masks)]
    return [entry for path in dict.fromkeys(paths) if (entry := _identified(path)) is not None]


def _identified(path: str) -> tuple[str, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return path, found.st_dev, found.st_ino


def _limits(plan: Confinement, *, counted_for_us: bool) -> Limits:
    return Limits(
        processes=plan.processes,
        rlimit_processes=plan.processes if counted_for_us else None,
        file_bytes=plan.file_bytes,
        memory_bytes=plan.memory_bytes,
        free_disk_bytes=plan.free_disk_bytes,
        disks=list(plan.disks),
    )
