"""Close codes: who comes back, and which code follows which error."""

from __future__ import annotations

import pytest

from questlog.sync.closing import CloseCode, closes_with, is_final


def test_only_codes_from_4400_to_4499_are_final() -> None:
    codes = (None, 1000, 1001, 1006, 1012, 4001, 4399, 4400, 4404, 4499, 4500)
    assert [code for code in codes if is_final(code)] == [4400, 4404, 4499]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("unauthenticated", CloseCode.UNAUTHENTICATED),
        ("forbidden", CloseCode.FORBIDDEN),
        ("unknown_campaign", CloseCode.UNKNOWN_CAMPAIGN),
        ("too_large", CloseCode.TOO_LARGE),
        ("rate_limited", CloseCode.TOO_MANY),
        ("store_unavailable", CloseCode.RESTARTING),
        ("bad_json", CloseCode.BAD_MESSAGE),
        ("invalid", CloseCode.BAD_MESSAGE),
    ],
)
def test_an_error_closes_with_its_own_code(error: str, code: CloseCode) -> None:
    assert closes_with(error) is code
