"""Symbolic links, hard links and renames across the border."""

from __future__ import annotations

import os

from tests.kernel.sandbox.escapes.case import Case, Room


def _directory_outside(room: Room) -> None:
    (room.outside / "there").mkdir()
    (room.outside / "there/file").write_text("as it was\n")


def _links_ahead(room: Room) -> None:
    """As a careless user has them: from the workspace to outside."""
    os.symlink(room.outside, room.work / "link")
    os.symlink(room.outside / "file", room.work / "file-link")


CASES = (
    Case("write-through-a-symlink", "NL", "ln -s $OUTSIDE/file l; echo x >>l", Room.changed),
    Case(
        "write-through-a-symlink-that-was-there",
        "NL",
        "echo x >>file-link; echo x >link/new",
        lambda room: room.changed() or room.new(),
        before=_links_ahead,
    ),
    Case("write-through-a-linked-directory", "NL", "ln -s $OUTSIDE d; echo x >d/new", Room.new),
    Case("write-through-a-dangling-symlink", "NL", "ln -s $OUTSIDE/new l; echo x >l", Room.new),
    Case("hard-link-in", "NL", "ln $OUTSIDE/file l && echo x >>l", Room.changed),
    Case(
        "hard-link-in-by-descriptor",
        "NL",
        """
        # python
        fd = os.open(FILE, os.O_PATH)
        libc.linkat(AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, b"l", AT_SYMLINK_FOLLOW)
        os.truncate("l", 0)
        """,
        Room.changed,
    ),
    Case("hard-link-out", "NL", "echo x >mine; ln mine $OUTSIDE/new", Room.new),
    Case("symlink-out", "NL", "ln -s /etc/passwd $OUTSIDE/new", Room.new),
    Case("rename-in", "NL", "mv $OUTSIDE/file mine", Room.changed),
    Case("rename-out", "NL", "echo x >mine; mv -f mine $OUTSIDE/new", Room.new),
    Case("rename-over", "NL", "echo x >mine; mv -f mine $OUTSIDE/file", Room.changed),
    Case("rename-outside", "NL", "mv $OUTSIDE/file $OUTSIDE/new", Room.new),
    Case(
        "exchange",
        "NL",
        """
        # python
        write("mine")
        call(316, AT_FDCWD, b"mine", AT_FDCWD, os.fsencode(FILE), 2)
        """,
        Room.changed,
    ),
    Case(
        "rename-a-directory-in",
        "NL",
        "mv $OUTSIDE/there mine && echo x >mine/file",
        lambda room: not (room.outside / "there").exists(),
        before=_directory_outside,
    ),
    Case(
        "replace-the-workspace-by-a-link",
        "NL",
        "cd / && mv $ROOT $ROOT.old && ln -s $OUTSIDE $ROOT",
        lambda room: room.root.is_symlink(),
        tree="plain",
    ),
    Case("plant-a-root", "NL", "echo x >$OUTSIDE/new", Room.new, tree="planted_root"),
    Case(
        "race-of-directory-and-symlink",
        "NL",
        """
        # python
        import threading
        os.mkdir("real"); os.symlink(OUTSIDE, "link"); os.mkdir("flip")
        def flip():
            while time.monotonic() < end:
                try_each(lambda: call(316, AT_FDCWD, b"flip", AT_FDCWD, b"link", 2))
        end = time.monotonic() + 0.25
        sys.stdout = open("/dev/null", "w")
        thread = threading.Thread(target=flip); thread.start()
        while time.monotonic() < end:
            try_each(lambda: write("flip/new"))
        thread.join()
        """,
        Room.new,
    ),
    Case(
        "move-the-open-directory-up",
        "NL",
        """
        # python
        os.makedirs("a/b"); os.chdir("a/b")
        os.rename("../../a/b", "../../b")
        for up in range(1, 9):
            try_each(lambda: write("../" * up + OUTSIDE.lstrip("/") + "/new"))
        """,
        Room.new,
    ),
)
