"""Each signed request is admitted once, however many come together."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from api.nonces import Nonces
from secure_clove.errors import ReplayedError, StoreError
from secure_clove.transport.signing import Claim
from tests.api.server import Caller, LiveServer, started


def claim(number: int) -> Claim:
    return Claim(
        keyid="ada",
        created=0,
        nonce=f"{number:032x}",
        content_digest="",
        params="",
        signature=bytes(64),
    )


class Notes:
    """Remembers nonces, and how many came in each write."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.writes: list[int] = []

    def __call__(self, claims: Sequence[Claim]) -> list[bool]:
        self.writes.append(len(claims))
        found = []
        for one in claims:
            found.append(one.nonce not in self.seen)
            self.seen.add(one.nonce)
        return found


def admit_together(note: Notes, numbers: Sequence[int]) -> list[BaseException | None]:
    async def all_of_them() -> list[BaseException | None]:
        with ThreadPoolExecutor(1) as threads:
            nonces = Nonces(threads, note)
            waiting = [nonces.admit(claim(number)) for number in numbers]
            return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_requests_that_come_together_share_one_write() -> None:
    notes = Notes()
    assert admit_together(notes, range(20)) == [None] * 20
    assert notes.writes == [20]


def test_of_equal_requests_that_come_together_one_is_admitted() -> None:
    found = admit_together(Notes(), [7] * 5)
    assert sum(answer is None for answer in found) == 1
    assert sum(isinstance(answer, ReplayedError) for answer in found) == 4


def test_nothing_is_admitted_that_could_not_be_written() -> None:
    class Broken(Notes):
        def __call__(self, claims: Sequence[Claim]) -> list[bool]:
            raise StoreError("the database refused")

    found = admit_together(Broken(), [1, 2])
    assert all(isinstance(answer, StoreError) for answer in found)


def test_one_signed_request_sent_many_times_at_once_passes_once(
    live_server: LiveServer, boss: Caller
) -> None:
    copies = 8
    path = f"/v1/federations/{started(live_server).federation}"
    headers = boss.headers("GET", path)
    with ThreadPoolExecutor(copies) as threads:
        sent = [threads.submit(boss.get, path, headers=headers) for _ in range(copies)]
        found = sorted(answer.result().status_code for answer in sent)
    assert found == [200] + [401] * (copies - 1)
