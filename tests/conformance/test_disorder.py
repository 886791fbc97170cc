"""Messages that come late, twice, out of order or not at all never make a sum wrong."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from secure_clove.errors import AbortedError, ConflictError, StageClosedError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.messages import Reply
from secure_clove.secagg.stages import TRANSITIONS, Stage
from tests.secagg.party import STAGE_MS, STEPS, Party, plain_sum, session

Key = tuple[str, ClientId]
ORDER = list(Stage)


class Disorder(RuleBasedStateMachine):
    """A network that keeps messages, repeats them, and hands them over when it likes."""

    @initialize(count=st.integers(3, 6), bits=st.sampled_from([32, 64]), restarts=st.booleans())
    def open(self, count: int, bits: int, restarts: bool) -> None:
        self.party = Party(session(count, ring_bits=bits), restarts=restarts)
        self.made: dict[Key, Reply] = {}
        self.seen = Stage.OPEN

    @property
    def step(self) -> str:
        return TRANSITIONS[self.party.server.stage].step

    def is_open(self) -> bool:
        return hasattr(self, "party") and self.party.server.stage in TRANSITIONS

    def silent(self) -> list[ClientId]:
        """Who could take the current step and has not."""
        return [c for c in self.party.server.expected if (self.step, c) not in self.made]

    def kept(self) -> list[Key]:
        """Messages that somebody sent and nobody got."""
        return [key for key in self.made if key not in self.party.stored]

    def is_welcome(self, key: Key) -> bool:
        server, (step, client) = self.party.server, key
        is_in_time = self.is_open() and self.party.now < server.deadline_ms
        return is_in_time and step == self.step and client in server.expected

    @precondition(is_open)
    @rule(data=st.data())
    def a_client_speaks_and_is_heard(self, data: st.DataObject) -> None:
        if self.silent():
            client = data.draw(st.sampled_from(self.silent()))
            key = (self.step, client)
            self.made[key] = self.party.message(*key)
            self.hand_over(key)

    @precondition(is_open)
    @rule(data=st.data())
    def a_client_speaks_and_the_network_keeps_it(self, data: st.DataObject) -> None:
        if self.silent():
            client = data.draw(st.sampled_from(self.silent()))
            self.made[self.step, client] = self.party.message(self.step, client)

    @rule(data=st.data())
    def the_network_hands_over_what_it_kept(self, data: st.DataObject) -> None:
        if self.kept():
            self.hand_over(data.draw(st.sampled_from(self.kept())))

    def hand_over(self, key: Key) -> None:
        if self.is_welcome(key):
            self.party.send(key[0], self.made[key])
            assert key in self.party.stored
        else:
            with pytest.raises((StageClosedError, AbortedError)):
                self.party.send(key[0], self.made[key])
            assert key not in self.party.stored

    @precondition(lambda self: hasattr(self, "party") and self.party.stored)
    @rule(data=st.data())
    def a_message_comes_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.party.stored)))
        before = encode(self.party.server)
        self.party.send(key[0], self.made[key])
        assert encode(self.party.server) == before

    @precondition(lambda self: hasattr(self, "party") and self.party.stored)
    @rule(data=st.data())
    def another_message_comes_in_its_place(self, data: st.DataObject) -> None:
        step, client = data.draw(st.sampled_from(sorted(self.party.stored)))
        before = encode(self.party.server)
        with pytest.raises(ConflictError):
            self.party.server.receive(step, client, b"other", self.party.now, self.party.bodies)
        assert encode(self.party.server) == before

    @precondition(lambda self: self.is_open() and self.party.now < self.party.server.deadline_ms)
    @rule(data=st.data())
    def a_message_comes_early(self, data: st.DataObject) -> None:
        later = STEPS[STEPS.index(self.step) + 1 :]
        client = data.draw(st.sampled_from(self.party.session.cohort))
        server = self.party.server
        for step in later:
            with pytest.raises((StageClosedError, AbortedError)):
                server.receive(step, client, b"early", self.party.now, self.party.bodies)

    @rule(part=st.sampled_from([STAGE_MS // 3, STAGE_MS]))
    def time_passes(self, part: int) -> None:
        self.party.now += part

    @rule()
    def the_coordinator_looks_at_the_clock(self) -> None:
        self.party.server = self.party.server.tick(self.party.now, self.party.bodies)

    @invariant()
    def who_counts_as_heard_in_a_closed_stage_is_whose_message_was_stored(self) -> None:
        if self.is_open():
            server = self.party.server
            sets = (server.u1, server.u2, server.u3, server.u4, server.u5)
            for step, members in zip(STEPS[: STEPS.index(self.step)], sets, strict=False):
                assert set(members) == {c for s, c in self.party.stored if s == step}

    @invariant()
    def a_session_never_goes_back(self) -> None:
        if hasattr(self, "party"):
            assert ORDER.index(self.party.server.stage) >= ORDER.index(self.seen)
            self.seen = self.party.server.stage

    def teardown(self) -> None:
        """Let whoever is left finish, then look at the end."""
        if not hasattr(self, "party"):
            return
        while self.is_open():
            heard = self.party.heard(self.step)
            if self.party.now >= self.party.server.deadline_ms:
                self.the_coordinator_looks_at_the_clock()
                continue
            missing = [c for c in self.party.server.expected if c not in heard]
            for client in missing:
                key = (self.step, client)
                self.made.setdefault(key, self.made.get(key) or self.party.message(*key))
                self.party.send(key[0], self.made[key])
        self.check_the_end()

    def check_the_end(self) -> None:
        server = self.party.server
        if server.stage is Stage.ABORTED:
            assert "are needed" in server.reason
            return
        assert server.stage is Stage.UNMASKED
        expected = plain_sum(self.party.session, self.party.vectors, server.u3)
        np.testing.assert_array_equal(server.total(self.party.bodies), expected)


Disorder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDisorder = Disorder.TestCase
