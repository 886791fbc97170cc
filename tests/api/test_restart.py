"""What was acknowledged survives the process: nonces, enrolments, messages."""

from pathlib import Path

from tests.api.server import CLIENTS, enrolment, founding, make_config, operator, serve
from tests.api.sessions import everything, open_session, refused

ADA = CLIENTS[0]


def test_a_request_of_before_a_restart_cannot_be_replayed_after_it(tmp_path: Path) -> None:
    config, initial = make_config()
    body = founding(config, initial)
    with serve(tmp_path) as server:
        boss = operator(server)
        headers = boss.headers("POST", "/v1/federations", body)
        answer = boss.send("POST", "/v1/federations", body, headers=headers)
        assert answer.status_code == 201
    with serve(tmp_path) as server:
        boss = operator(server)
        answer = boss.send("POST", "/v1/federations", body, headers=headers)
        refused(answer, 401, "replayed")


def test_an_enrolment_survives_a_restart(tmp_path: Path) -> None:
    config, initial = make_config()
    path = f"/v1/federations/{config.federation}/enrolments"
    with serve(tmp_path) as server:
        boss = operator(server)
        boss.send("POST", "/v1/federations", founding(config, initial))
        server.http.post(path, json=enrolment(config.federation, ADA)).raise_for_status()
    with serve(tmp_path) as server:
        boss = operator(server)
        found = boss.get(path).json()
    assert [client for client, key in found.items() if key] == [ADA]


def test_a_session_goes_on_after_a_restart(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        opened = open_session(server)
        adverts = {client: opened.advert(client) for client in CLIENTS}
        assert opened.put(ADA, adverts[ADA]).status_code == 204
        before = everything(server)
    with serve(tmp_path) as server:
        assert everything(server) == before
        again = opened.on(server)
        answers = [again.put(client, adverts[client]).status_code for client in CLIENTS]
        directory = again.callers[ADA].get(f"/v1/sessions/{again.sid}/directory")
    assert (answers, directory.status_code) == ([204, 204, 204], 200)
