"""One writer per store, under an operating system lock on a file of its own beside the store.

The lock goes when its process does, however it ends; the file stays, because removing a lock file
that another process is about to lock would let two writers in.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from eventstore.errors import StoreLockedError, StoreReadOnlyError


class WriterLock:
    """Holds the right to write a store from `acquire` to `release`."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises:
            StoreLockedError: another process holds it; says which.
            StoreReadOnlyError: the lock file cannot be made.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreReadOnlyError(f"Cannot write beside the store: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise StoreLockedError(f"The store is open for writing in {who}.") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock. Does nothing where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
