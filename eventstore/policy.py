"""When to take a snapshot: as soon as the events since the last outweigh the document.

So what snapshots write is never more than what events wrote (write amplification stays under 2),
and loading reads at most about twice the document.
"""

from __future__ import annotations

EVENT_OVERHEAD = 256
MIN_WEIGHT = 16 * 1024


def weight(version: int, patch_size: int) -> int:
    """Return what an event with a patch of this many bytes weighs, its other columns included.

    The first event holds the whole document: it is as good as a snapshot, and weighs nothing.
    """
    return patch_size + EVENT_OVERHEAD if version > 1 else 0


def snapshot_due(weight_since: int, document_size: int) -> bool:
    """Return whether events of this total weight since the last snapshot call for a new one."""
    return weight_since > max(document_size, MIN_WEIGHT)
