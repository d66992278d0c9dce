"""Why a store cannot be used or could not write: a stable code and a human sentence."""

from __future__ import annotations

import inspect


class StoreError(Exception):
    """The store cannot do this."""

    code = "store_error"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or inspect.getdoc(type(self)) or self.code
        super().__init__(self.message)


class BadStoreUrlError(StoreError):
    """A store is named like sqlite:///questlog.db (relative) or sqlite:////srv/questlog.db."""

    code = "bad_store_url"


class NoStoreError(StoreError):
    """There is no store at this place."""

    code = "no_store"


class NotAStoreError(StoreError):
    """This file is not a Questlog store."""

    code = "not_a_store"


class NewerSchemaError(StoreError):
    """This store was written by a newer release of Questlog; upgrade to open it."""

    code = "newer_schema"


class OlderSchemaError(StoreError):
    """This store was written by an older release; `questlog migrate` takes it up."""

    code = "older_schema"


class StoreLockedError(StoreError):
    """Another server has this store open for writing."""

    code = "store_locked"


class StoreReadOnlyError(StoreError):
    """This store, or the folder it is in, cannot be written."""

    code = "store_read_only"


class StoreFullError(StoreError):
    """The disk is full: nothing of this was written."""

    code = "store_full"


class UnreadableError(StoreError):
    """The store's file is damaged here and cannot be read."""

    code = "unreadable"


class DamagedSourceError(StoreError):
    """The log to be copied is damaged: nothing of it was."""

    code = "damaged_source"


class TargetExistsError(StoreError):
    """There is a file of this name already, and none is ever written over."""

    code = "target_exists"


class DamagedCopyError(StoreError):
    """The copy is not what its hashes say, and was not kept: what it was made from is damaged."""

    code = "damaged_copy"


class BadTransferError(StoreError):
    """This is not a log as `questlog export` writes it: nothing of it was imported."""

    code = "bad_transfer"


class CampaignDiffersError(StoreError):
    """The store has another campaign of this id: nothing was imported."""

    code = "campaign_differs"


class TableTakenError(StoreError):
    """Another campaign is active at the table where this log ends active: nothing was imported."""

    code = "table_taken"


class SeatDisputedError(StoreError):
    """Two campaigns are dated as active at one table: nothing was restored."""

    code = "seat_disputed"


class OutcomeUnknownError(StoreError):
    """The disk failed while this was being written: it may or may not be in the log."""

    code = "outcome_unknown"


class StoreClosedError(StoreError):
    """The store is closed."""

    code = "store_closed"
