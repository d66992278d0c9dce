"""The HTTP calls, one after the other, as a stranger with the contract would try them."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.problems import STATUSES
from tests.support.peer import Caller, put

DOCUMENT = {"hp": 10, "list": [1, 2], "dm": {"secret": "poison"}, "private": {"mira": "a letter"}}


async def test_a_campaign_is_created_once(call: Caller) -> None:
    status, created = await call(
        "PUT", "/api/campaigns/c", json={"structured_data": DOCUMENT, "title": "The Bell"}
    )
    assert (status, created["campaign_id"], created["version"]) == (201, "c", 1)
    status, problem = await call("PUT", "/api/campaigns/c", json={"structured_data": {}})
    assert (status, problem["code"], problem["version"]) == (409, "campaign_exists", 1)
    status, described = await call("GET", "/api/campaigns/c")
    assert status == 200
    assert described["title"] == "The Bell"
    assert described["position"] == created["position"]
    assert described["table"] is None
    status, everything = await call("GET", "/api/campaigns")
    assert (status, everything["campaigns"]) == (200, [described])


async def test_a_retried_creation_is_a_duplicate_and_another_body_is_not(call: Caller) -> None:
    headers = {"Idempotency-Key": "first"}
    body: dict[str, Any] = {"structured_data": {"a": 1}}
    status, first = await call("PUT", "/api/campaigns/c", json=body, headers=headers)
    assert status == 201
    await call.commit("c", put("/a", 2))
    status, again = await call("PUT", "/api/campaigns/c", json=body, headers=headers)
    assert (status, again["duplicate"], again["position"]) == (200, True, first["position"])
    body["structured_data"]["a"] = 3
    status, problem = await call("PUT", "/api/campaigns/c", json=body, headers=headers)
    assert (status, problem["code"]) == (409, "id_reused")


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [
        ("dm", DOCUMENT),
        ("player:mira", {"hp": 10, "list": [1, 2], "private": {"mira": "a letter"}}),
        ("player:tobin", {"hp": 10, "list": [1, 2], "private": {}}),
        ("player", {"hp": 10, "list": [1, 2], "private": {}}),
        ("spectator", {"hp": 10, "list": [1, 2], "private": {}}),
    ],
)
async def test_the_state_is_read_as_any_viewer(call: Caller, viewer: str, expected: Any) -> None:
    await call.create("c", DOCUMENT)
    status, state = await call("GET", f"/api/campaigns/c/state?as={viewer}")
    assert (status, state["structured_data"]) == (200, expected)


async def test_an_etag_spares_the_second_reading(call: Caller) -> None:
    position = await call.create("c", DOCUMENT)
    headers = {"If-None-Match": f'"{position}"'}
    status, body = await call("GET", "/api/campaigns/c/state", headers=headers)
    assert (status, body) == (304, None)
    await call.commit("c", put("/hp", 9))
    status, _ = await call("GET", "/api/campaigns/c/state", headers=headers)
    assert status == 200


async def test_earlier_versions_are_read_under_the_rules_of_their_time(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    await call.commit("c", put("/hp", 9))
    rules = {"default": "hidden", "rules": [{"path": "/hp", "to": ["all"]}]}
    status, answer = await call("PUT", "/api/campaigns/c/visibility", json=rules)
    assert (status, answer["version"]) == (200, 3)
    _, now = await call("GET", "/api/campaigns/c/state?as=player")
    assert now["structured_data"] == {"hp": 9}
    _, then = await call("GET", "/api/campaigns/c/state?as=player&version=1")
    assert then["structured_data"] == {"hp": 10, "list": [1, 2], "private": {}}
    for version in ("0", "4", "99999999999"):
        status, problem = await call("GET", f"/api/campaigns/c/state?version={version}")
        assert (status, problem["code"]) == (404, "unknown_version")


async def test_a_whole_document_becomes_a_patch(call: Caller) -> None:
    await call.create("c", {"hp": 10, "names": ["Mira", "Tobin"]})
    body = {"hp": 9, "names": ["Mira", "Oda", "Tobin"]}
    status, answer = await call("PUT", "/api/campaigns/c/state", json=body)
    assert (status, answer["version"], answer["duplicate"]) == (200, 2, False)
    assert sorted(operation["path"] for operation in answer["patch"]) == ["/hp", "/names/1"]
    status, same = await call("PUT", "/api/campaigns/c/state", json=body)
    assert (status, same["version"], same["patch"]) == (200, 2, [])
    _, log = await call("GET", "/api/campaigns/c/events")
    assert log["head"] == 2


async def test_an_idempotency_key_logs_even_what_changes_nothing(call: Caller) -> None:
    await call.create("c", {"hp": 10})
    headers = {"Idempotency-Key": "k"}
    for duplicate in (False, True):
        _, answer = await call("PUT", "/api/campaigns/c/state", json={"hp": 10}, headers=headers)
        assert (answer["version"], answer["patch"], answer["duplicate"]) == (2, [], duplicate)


async def test_patches_of_both_kinds_apply_and_other_types_are_refused(call: Caller) -> None:
    await call.create("c", {"a": {"b": 1, "c": 2}})
    path = "/api/campaigns/c/state"
    status, answer = await call(
        "PATCH",
        path,
        data=b'[{"op":"replace","path":"/a/b","value":3}]',
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert (status, answer["version"]) == (200, 2)
    merge = {"Content-Type": "application/merge-patch+json"}
    status, answer = await call("PATCH", path, data=b'{"a":{"c":null,"d":4}}', headers=merge)
    assert (status, answer["version"]) == (200, 3)
    _, state = await call("GET", path)
    assert state["structured_data"] == {"a": {"b": 3, "d": 4}}
    status, answer = await call("PATCH", path, data=b'{"a":{"d":4}}', headers=merge)
    assert (status, answer["version"], answer["patch"]) == (200, 3, [])
    status, problem = await call("PATCH", path, json=[])
    assert (status, problem["code"]) == (415, "unsupported_media_type")


async def test_a_failing_patch_names_its_operation_and_changes_nothing(call: Caller) -> None:
    await call.create("c", {"hp": 10})
    patch = [put("/hp", 9), {"op": "test", "path": "/hp", "value": 8}]
    status, problem = await call("POST", "/api/campaigns/c/events", json={"patch": patch})
    assert (status, problem["code"]) == (422, "patch_failed")
    assert "operation 1" in problem["detail"]
    _, state = await call("GET", "/api/campaigns/c/state")
    assert (state["version"], state["structured_data"]) == (1, {"hp": 10})


async def test_a_commit_in_full_form_is_logged_with_all_it_gave(call: Caller) -> None:
    await call.create("c", {"hp": 10})
    answer = await call.commit(
        "c", put("/hp", 9), id="turn-1", kind="damage.dealt", meta={"by": "goblin"}
    )
    assert (answer["id"], answer["version"], answer["duplicate"]) == ("turn-1", 2, False)
    assert (await call.commit("c"))["version"] == 3
    _, log = await call("GET", "/api/campaigns/c/events?after=1")
    event, empty = log["events"]
    assert event["kind"] == "damage.dealt"
    assert event["meta"] == {"by": "goblin"}
    assert event["patch"] == [put("/hp", 9)]
    assert event["actor"] == {"member": "dm", "role": "dm"}
    assert (empty["kind"], empty["patch"]) == ("state.updated", [])
    assert len(event["hash"]) == 64
    assert event["at"] <= empty["at"]
    assert event["at"].endswith("Z")


async def test_a_retry_is_a_duplicate_whatever_has_become_of_the_document(call: Caller) -> None:
    await call.create("c", {"hp": 10})
    once = [{"op": "test", "path": "/hp", "value": 10}, put("/hp", 9)]
    first = await call.commit("c", *once, id="x", expected_version=1)
    await call.commit("c", put("/hp", 1))
    again = await call.commit("c", *once, id="x", expected_version=1)
    assert again == {**first, "duplicate": True}
    status, problem = await call(
        "POST", "/api/campaigns/c/events", json={"id": "x", "patch": [put("/hp", 3)]}
    )
    assert (status, problem["code"], problem["version"]) == (409, "id_reused", 2)


async def test_preconditions_name_the_version_they_failed_at(call: Caller) -> None:
    first = await call.create("c", {"hp": 10})
    second = (await call.commit("c", put("/hp", 9)))["position"]
    path = "/api/campaigns/c/state"
    for stale in (first, "1", '"1"', f'"{first}"', "2.0000000000000000", "3"):
        status, problem = await call("PUT", path, json={"hp": 8}, headers={"If-Match": stale})
        assert (status, problem["code"], problem["version"]) == (412, "version_conflict", 2), stale
    for number, good in enumerate((second, '"3"', "*")):
        status, answer = await call("PUT", path, json={"hp": number}, headers={"If-Match": good})
        assert (status, answer["version"]) == (200, 3 + number), good
    body = {"expected_version": 2, "patch": []}
    status, problem = await call("POST", "/api/campaigns/c/events", json=body)
    assert (status, problem["code"], problem["version"]) == (409, "version_conflict", 5)
    for never in ("later", 'W/"5"', f'"{first}", "2"', "9" * 26):
        status, problem = await call("PUT", path, json={}, headers={"If-Match": never})
        assert (status, problem["code"]) == (412, "version_conflict"), never
    headers = {"If-Match": f'"{first}", "5"', "Idempotency-Key": "several"}
    assert (await call("PUT", path, json={"hp": 0}, headers=headers))[0] == 200
    headers["If-Match"] = "nonsense"
    status, answer = await call("PUT", path, json={"hp": 0}, headers=headers)
    assert (status, answer["duplicate"]) == (200, True), "a retry comes before its conditions"


async def test_a_named_lease_is_never_the_one_in_force(call: Caller) -> None:
    await call.create("c", {})
    status, problem = await call("POST", "/api/campaigns/c/events", json={"patch": [], "lease": 3})
    assert (status, problem["code"]) == (409, "lease_lost")


async def test_the_log_is_read_in_parts_and_by_kind(call: Caller) -> None:
    await call.create("c", {"n": 0})
    for number in range(1, 6):
        await call.commit("c", put("/n", number), kind="odd" if number % 2 else "even")
    _, part = await call("GET", "/api/campaigns/c/events?after=2&limit=2")
    assert ([event["version"] for event in part["events"]], part["head"]) == ([3, 4], 6)
    _, odd = await call("GET", "/api/campaigns/c/events?kind=odd")
    assert [event["version"] for event in odd["events"]] == [2, 4, 6]
    _, none = await call("GET", "/api/campaigns/c/events?after=6")
    assert none == {"events": [], "head": 6}
    for query in ("limit=0", "limit=1001", "after=-1", "after=x"):
        status, problem = await call("GET", f"/api/campaigns/c/events?{query}")
        assert (status, problem["code"]) == (422, "invalid"), query


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/state", None),
        ("PUT", "/state", {}),
        ("GET", "/events", None),
        ("POST", "/events", {"patch": []}),
        ("PUT", "/visibility", {"default": "visible", "rules": []}),
        ("POST", "/activate", {}),
        ("POST", "/deactivate", {}),
    ],
)
async def test_an_unknown_campaign_is_unknown_everywhere(
    call: Caller, method: str, path: str, body: Any
) -> None:
    status, problem = await call(method, f"/api/campaigns/nobody{path}", json=body)
    assert (status, problem["code"]) == (404, "unknown_campaign")


async def test_integers_of_any_size_are_kept_exactly(call: Caller) -> None:
    numbers = [2**53 + 1, 2**63, 2**64 + 1, -(2**70), 10**400]
    await call.create("c", {"ids": numbers})
    await call.commit("c", put("/ids/-", 3**300))
    _, state = await call("GET", "/api/campaigns/c/state")
    assert state["structured_data"]["ids"] == [*numbers, 3**300]


async def test_probes_and_the_description_answer(call: Caller) -> None:
    assert await call("GET", "/healthz") == (200, {"status": "alive"})
    assert await call("GET", "/readyz") == (200, {"status": "ready"})
    status, description = await call("GET", "/api/openapi.json")
    assert status == 200
    OpenAPIV31SpecValidator(description).validate()
    described = set()
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                described.update(response["description"].strip(".").split(": ")[-1].split(", "))
    assert set(STATUSES) <= described, "a code no call is described to answer with"


async def test_unknown_paths_and_methods_are_problems_too(call: Caller) -> None:
    status, problem = await call("GET", "/nothing/here")
    assert (status, problem["code"], problem["status"]) == (404, "invalid", 404)
    status, problem = await call("DELETE", "/api/campaigns/c")
    assert (status, problem["code"]) == (405, "invalid")
