"""Why a command was not carried out: a stable code, a human sentence.

The codes are the contract's and never change; the sentences may. A class's docstring is its
default sentence, so that every code explains itself somewhere, and only there.
"""

from __future__ import annotations

import inspect

from questlog.document import DocumentError


class DamagedLogError(Exception):
    """The log holds an event that cannot follow the one before it. It is no caller's mistake."""

    code = "damaged_log"


class Rejection(Exception):  # noqa: N818 - a rejection is an answer, not a fault
    """The command was not carried out.

    Attributes:
        code: the stable machine code of the contract.
        message: one sentence for a person; never quotes what a viewer may not see.
        version: the campaign's version the answer speaks of, where there is one.
        limit: the setting whose number was passed, None where none was.
    """

    code = "invalid"
    limit: str | None = None

    def __init__(self, message: str | None = None, *, version: int | None = None) -> None:
        self.message = message or inspect.getdoc(type(self)) or self.code
        self.version = version
        super().__init__(self.message)


class Invalid(Rejection):
    """The request has a wrong shape or a value that is not allowed."""

    code = "invalid"


class BadJson(Rejection):
    """The body is not JSON."""

    code = "bad_json"


class TooLarge(Rejection):
    """The body or the document it leads to is over the limit."""

    code = "too_large"


class PatchRejected(Rejection):
    """The patch does not apply to the document."""

    code = "patch_failed"


class VersionConflict(Rejection):
    """The campaign is not at the version this change was based on."""

    code = "version_conflict"


class PreconditionFailed(VersionConflict):
    """The campaign is not at the version `If-Match` names."""


class IdReused(Rejection):
    """This id was committed before with another body."""

    code = "id_reused"


class LeaseLost(Rejection):
    """The lease this commit names is not the one in force."""

    code = "lease_lost"


class CampaignExists(Rejection):
    """There is a campaign of this id already."""

    code = "campaign_exists"


class UnknownCampaign(Rejection):
    """There is no such campaign."""

    code = "unknown_campaign"


class UnknownVersion(Rejection):
    """The campaign has no such version."""

    code = "unknown_version"


class Unauthenticated(Rejection):
    """There is no token, or it is not valid."""

    code = "unauthenticated"


class Forbidden(Rejection):
    """This caller may not do this."""

    code = "forbidden"


class RateLimited(Rejection):
    """Too many requests: come back later."""

    code = "rate_limited"


class UnsupportedMediaType(Rejection):
    """The body's Content-Type is not one this call understands."""

    code = "unsupported_media_type"


class StoreUnavailable(Rejection):
    """The log could not be written: whether this commit is in it is unknown; retry with its id."""

    code = "store_unavailable"


def rejections() -> dict[str, type[Rejection]]:
    """Return every code with its class, for the answers, the docs and their test."""
    return {cls.code: cls for cls in Rejection.__subclasses__()}


def rejection_of(code: str, message: str, version: int | None = None) -> Rejection:
    """Return the rejection a server answered with; a code of a later release keeps its code."""
    rejection = rejections().get(code, Rejection)(message, version=version)
    rejection.code = code
    return rejection


def from_document(error: DocumentError) -> Rejection:
    """Turn what the document layer refused into the rejection of the same code."""
    rejection = rejections().get(error.code, Invalid)(str(error))
    rejection.limit = error.limit
    return rejection
