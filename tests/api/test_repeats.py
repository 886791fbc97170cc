"""Saying something twice: the same is the same, another is refused, and the first stands."""

import pytest

from tests.api.server import CLIENTS, Caller
from tests.api.sessions import OpenSession, everything, refused

ADA = CLIENTS[0]


@pytest.fixture
def ada(open_one: OpenSession) -> Caller:
    return open_one.callers[ADA]


def test_the_same_signed_request_again_is_refused(open_one: OpenSession, ada: Caller) -> None:
    body = open_one.advert(ADA)
    headers = ada.headers("PUT", open_one.path(ADA), body)
    assert ada.send("PUT", open_one.path(ADA), body, headers=headers).status_code == 204
    before = everything(open_one.server)
    refused(ada.send("PUT", open_one.path(ADA), body, headers=headers), 401, "replayed")
    assert everything(open_one.server) == before


def test_a_second_different_message_is_refused_and_the_first_stands(
    open_one: OpenSession,
) -> None:
    first = open_one.advert(ADA)
    assert open_one.put(ADA, first).status_code == 204
    before = everything(open_one.server)
    refused(open_one.put(ADA, open_one.advert(ADA)), 409, "conflict")
    assert everything(open_one.server) == before
    with open_one.server.service.store.transaction() as tx:
        assert tx.body(open_one.sid, "advert", ADA) == first


def test_the_same_message_again_has_the_same_answer_and_changes_nothing(
    open_one: OpenSession,
) -> None:
    body = open_one.advert(ADA)
    assert open_one.put(ADA, body).status_code == 204
    before = everything(open_one.server)
    assert open_one.put(ADA, body).status_code == 204
    assert everything(open_one.server) == before


def test_another_message_for_a_stage_that_is_over_is_refused(open_one: OpenSession) -> None:
    open_one.all_advertise()
    before = everything(open_one.server)
    refused(open_one.put(ADA, open_one.advert(ADA)), 409, "conflict")
    assert everything(open_one.server) == before
