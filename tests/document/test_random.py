"""Twenty thousand random pairs of documents: diff and apply against each other and the oracle."""

from __future__ import annotations

import random
from typing import Any

import jsonpatch
import pytest

from questlog.document import Limits, apply, apply_within, decode, diff, encode, equal
from tests.document.documents import changed, value

PAIRS = 20_000
SHARES = 8


def naively_equal(a: Any, b: Any) -> bool:
    """JSON equality spelled out, to judge the quick one."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(naively_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(naively_equal, a, b))
    return bool(a == b)


def pair(rng: random.Random) -> tuple[Any, Any]:
    old = value(rng, 4) if rng.random() < 0.5 else [value(rng, 3) for _ in range(rng.randrange(12))]
    new = changed(rng, old) if rng.random() < 0.85 else value(rng, 4)
    return old, decode(encode(new)) if rng.random() < 0.5 else new


def judge(old: Any, new: Any) -> None:
    """Assert all that must hold of any two documents."""
    old_bytes, new_bytes = encode(old), encode(new)
    patch = diff(old, new)
    patch_bytes = encode(patch)
    result = apply(old, patch)
    sized = apply_within(old, patch, size=len(old_bytes), limits=Limits())
    assert naively_equal(result, new), "diff, then apply, is the identity"
    assert naively_equal(jsonpatch.apply_patch(old, patch), new), "jsonpatch agrees"
    assert naively_equal(sized.value, new), "apply_within agrees"
    assert sized.size == len(encode(sized.value)), "the size is exact"
    assert (patch == []) == naively_equal(old, new) == equal(old, new), "no patch where equal"
    whole = [{"op": "replace", "path": "", "value": new}]
    longest = len(encode(whole)) * (2 if type(old) is type(new) is dict else 1)
    assert len(patch_bytes) <= longest, "no longer than replacing the whole, or twice at the top"
    afterwards = encode(old), encode(new), encode(patch)
    assert afterwards == (old_bytes, new_bytes, patch_bytes), "nothing was mutated"


@pytest.mark.parametrize("share", range(SHARES))
def test_random_documents_differ_by_exactly_their_diff(share: int) -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    for number in range(PAIRS // SHARES):
        old, new = pair(rng)
        try:
            judge(old, new)
        except Exception as error:
            pytest.fail(f"seed {seed}, pair {number} of share {share}: {error!r}\n{old!r}\n{new!r}")


def test_our_random_patches_do_what_those_of_jsonpatch_do() -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    judged = 0
    for number in range(3_000):
        old, new = pair(rng)
        patch = jsonpatch.make_patch(old, new).patch
        expected = jsonpatch.apply_patch(old, patch)
        sized = apply_within(old, patch, size=len(encode(old)), limits=Limits())
        where = f"seed {seed}, pair {number}: {old!r} {patch!r}"
        assert naively_equal(apply(old, patch), expected), where
        assert naively_equal(sized.value, expected), where
        assert sized.size == len(encode(sized.value)), where
        judged += bool(patch)
    assert judged > 1_000, f"seed {seed} made hardly any patches"
