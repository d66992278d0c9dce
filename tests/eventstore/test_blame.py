"""Blame: the event that made each leaf what it is, against one that follows every leaf forward."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eventstore.looking import blame as blame_module
from eventstore.looking.blame import blame, leaves_of
from eventstore.port import EventReader
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit
from questlog.campaign.errors import Invalid, UnknownVersion
from questlog.document import BadPointer, DocumentError, apply, encode, equal, get, join, parse
from tests.document import documents
from tests.eventstore.scribe import Scribe, create, open_store

MISSING = "(missing)"


def setting(path: str, value: Any) -> dict[str, Any]:
    """Return the operation that puts a value somewhere."""
    return {"op": "add", "path": path, "value": value}


async def versions(reader: EventReader, pointer: str = "", **more: Any) -> dict[str, int]:
    """Return the version blamed for each leaf."""
    return {each.path: each.version for each in await blame(reader, "c", pointer, **more)}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(tmp_path / "q.db")
    yield store
    await store.close()


async def logged(
    store: SqliteStore, document: dict[str, Any], *patches: list[dict[str, Any]]
) -> None:
    """Make the campaign `c` of these."""
    await Scribe(store).write(create(document), *(Commit(patch=patch) for patch in patches))


async def test_the_event_that_changed_a_value_is_blamed(store: SqliteStore) -> None:
    await logged(
        store,
        {"mira": {"hp": 9, "ac": 15}, "round": 1},
        [setting("/mira/hp", 4)],
        [setting("/mira", {"hp": 4, "ac": 15})],
        [setting("/round", 2), {"op": "test", "path": "/mira/hp", "value": 4}],
        [setting("/mira/hp", 4)],
    )
    assert await versions(store) == {"/mira/hp": 2, "/mira/ac": 1, "/round": 4}
    assert await versions(store, "/mira") == {"/mira/hp": 2, "/mira/ac": 1}
    assert await versions(store, "/mira/hp") == {"/mira/hp": 2}
    assert await versions(store, at=1) == {"/mira/hp": 1, "/mira/ac": 1, "/round": 1}
    [told] = await blame(store, "c", "/round")
    assert (told.kind, told.actor.member, told.value) == ("state.updated", "dm", 2)


async def test_elements_of_a_list_are_followed_to_where_they_were(store: SqliteStore) -> None:
    await logged(
        store,
        {"order": ["mira", "tobin"]},
        [{"op": "add", "path": "/order/0", "value": "goblin"}],
        [{"op": "add", "path": "/order/-", "value": "orla"}],
        [{"op": "remove", "path": "/order/1"}],
        [{"op": "move", "from": "/order/2", "path": "/order/0"}],
        [{"op": "copy", "from": "/order/0", "path": "/order/-"}],
    )
    # goblin, mira, tobin; and orla; without mira; orla first; orla again.
    assert await versions(store) == {"/order/0": 3, "/order/1": 2, "/order/2": 1, "/order/3": 6}


async def test_what_moves_keeps_its_blame_and_keys_that_look_like_numbers_are_keys(
    store: SqliteStore,
) -> None:
    await logged(
        store,
        {"bag": {"0": "rope", "1": "lamp"}, "chest": {}},
        [setting("/bag/0", "torch")],
        [{"op": "move", "from": "/bag/1", "path": "/chest/lamp"}],
        [{"op": "remove", "path": "/bag/0"}],
    )
    assert await versions(store) == {"/bag": 4, "/chest/lamp": 1}


async def test_what_is_not_there_is_refused(store: SqliteStore) -> None:
    await logged(store, {"hp": 1})
    for pointer in ("/nowhere", "hp", "/hp/deeper"):
        with pytest.raises(Invalid):
            await blame(store, "c", pointer)
    with pytest.raises(UnknownVersion):
        await blame(store, "c", "", at=2)
    with pytest.raises(UnknownVersion):
        await blame(store, "nowhere", "")


# The oracle: the same document in which every leaf is a text that names the version which made it.


def tagged(value: Any, version: int) -> Any:
    """Return a value with the version in each of its leaves; what is empty stays as it is."""
    if isinstance(value, dict):
        return {key: tagged(child, version) for key, child in value.items()}
    if isinstance(value, list):
        return [tagged(child, version) for child in value]
    return f"{version}|{encode(value).decode()}"


def same(one: Any, other: Any) -> bool:
    """Return whether two tagged leaves have equal values."""
    one, other = (json.loads(str(each).partition("|")[2]) for each in (one, other))
    return equal(one, other)


def kept(fresh: Any, old: Any) -> Any:
    """Return what is put where something else was: what is the same keeps its tag."""
    # A pointer does not tell a list from an object whose keys are numbers; neither does a place.
    was = old if isinstance(old, dict) else {}
    if isinstance(old, list):
        was = {str(index): child for index, child in enumerate(old)}
    if isinstance(fresh, dict):
        return {k: kept(v, was[k]) if k in was else v for k, v in fresh.items()}
    if isinstance(fresh, list):
        return [kept(v, was[str(n)]) if str(n) in was else v for n, v in enumerate(fresh)]
    if isinstance(fresh, str) and isinstance(old, str) and same(fresh, old):
        return old
    return fresh


def told(tree: Any, operation: dict[str, Any], document: Any, version: int) -> Any:
    """Return the tagged tree after an operation on the document it is of."""
    op, path = operation["op"], operation["path"]
    if op == "test":
        return tree
    if op == "copy":
        value = tagged(get(document, operation["from"]), version)
        operation = {"op": "add", "path": path, "value": value}
    elif op in ("add", "replace"):
        operation = {**operation, "value": tagged(operation["value"], version)}
    if op in ("add", "copy", "replace"):
        tokens = parse(path)
        inserts = op != "replace" and tokens and isinstance(get(tree, tokens[:-1]), list)
        try:
            old = MISSING if inserts else get(tree, tokens)
        except BadPointer:
            old = MISSING
        if old is not MISSING:
            operation = {**operation, "value": kept(operation["value"], old)}
    return apply(tree, [operation])


def any_operation(rng: random.Random, document: Any) -> dict[str, Any]:
    """Return an operation that applies to the document, most of them small."""
    containers = [path for path, value in everything(document) if isinstance(value, dict | list)]
    values = [path for path, _ in everything(document) if path]
    home = rng.choice(containers)
    inside = get(document, home)
    name = rng.choice(documents.KEYS)
    if isinstance(inside, list):
        name = rng.choice([*map(str, range(len(inside) + 1)), "-"])
    target = join((*home, name))
    choice = rng.random()
    if choice < 0.35 and values:
        place = rng.choice(values)
        value = documents.changed(rng, get(document, place))
        return {"op": "replace", "path": join(place), "value": value}
    if choice < 0.55 and values:
        return {"op": "remove", "path": join(rng.choice(values))}
    if choice < 0.75 and values:
        op, place = rng.choice(("move", "copy")), rng.choice(values)
        moved = {"op": op, "from": join(place), "path": target}
        try:
            apply(document, [moved])
        except DocumentError:
            return {"op": "test", "path": "", "value": document}
        return moved
    if choice < 0.8:
        changed = documents.changed(rng, document)
        if isinstance(changed, dict):
            return {"op": "replace", "path": "", "value": changed}
    return {"op": "add", "path": target, "value": documents.value(rng, 2)}


def everything(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return every value in a document, with its place."""
    found = [(path, value)]
    children: dict[str, Any] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        children = {str(index): child for index, child in enumerate(value)}
    for key, child in children.items():
        found += everything(child, (*path, key))
    return found


@pytest.mark.parametrize("segment", [1, 3, 1_000])
async def test_at_random_the_oracle_blames_the_same(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, segment: int
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    monkeypatch.setattr(blame_module, "SEGMENT", segment)
    for number in range(60):
        scribe = Scribe(store, f"c{number}")
        first = {key: documents.value(rng, 3) for key in "abc"}
        await scribe.write(create(first))
        tree = tagged(first, 1)
        for version in range(2, 2 + rng.randrange(25)):
            document = scribe.state.document
            operation = any_operation(rng, document)
            tree = told(tree, operation, document, version)
            await scribe.write(Commit(patch=[operation]))
        expected = {
            join(path): int(leaf.partition("|")[0])
            for path, leaf in leaves_of(tree, ())
            if isinstance(leaf, str)
        }
        found = {
            each.path: each.version
            for each in await blame(store, f"c{number}", "")
            if not isinstance(each.value, dict | list)
        }
        assert found == expected, f"seed {seed}, campaign {number}"
