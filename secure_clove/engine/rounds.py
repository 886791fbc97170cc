"""How a federation moves on through rounds, exchanges and sessions, inside one transaction."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from secure_clove.algorithms.base import Exchange, Replies, Reveal, Use
from secure_clove.clustering.scores import agreement
from secure_clove.engine.asks import Asks
from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import ROSTER_TAG, Roster
from secure_clove.engine.ongoing import honest_in
from secure_clove.engine.pipeline import from_ring, pack, unpack
from secure_clove.engine.plan import Config, quantiser, releases, ring_bits
from secure_clove.engine.policy import MOST_ATTEMPTS
from secure_clove.engine.ports import Transaction
from secure_clove.engine.sessions import StoredBodies
from secure_clove.engine.signal import heard
from secure_clove.engine.state import (
    FederationState,
    GroupSum,
    Phase,
    RoundReport,
    SessionState,
    Tally,
)
from secure_clove.engine.transcript import read_replies
from secure_clove.errors import AbortedError, LocalProtocolError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy, stream
from secure_clove.foundation.trees import Tree
from secure_clove.privacy.accounting import totals
from secure_clove.secagg.keys import public_coin
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.session import Carriage, Session
from secure_clove.secagg.transcript import threshold


class Rounds:
    """One federation during one transaction; ``state`` is what to save at the end."""

    def __init__(
        self, tx: Transaction, state: FederationState, *, now_ms: int, entropy: Entropy
    ) -> None:
        self.state = state
        self._tx, self._now, self._entropy = tx, now_ms, entropy
        self._config = decode(state.config.body, Config)
        self._algorithm = self._config.build()

    def welcome(self, clients: Iterable[ClientId]) -> None:
        """Count clients as present from the next cohort on."""
        present = {*self.state.present, *clients}
        if len(present) > len(self.state.present):
            self.state = replace(self.state, present=tuple(sorted(present)))

    def advance(self) -> None:
        """Begin the next round if its clients are there."""
        if self.state.phase is Phase.GATHERING and self._is_gathered():
            self._begin()

    def settle(self, sid: str, ended: SessionState) -> None:
        """Take the outcome of a session that is over, and move on if it was the last one open."""
        still_open = tuple(key for key in self.state.open if key != sid)
        self.state = replace(self.state, open=still_open)
        self._miss(ended)
        if ended.masked is None:
            self.state = replace(self.state, replies=(*self.state.replies, sid))
        else:
            self._take_sum(sid, ended, ended.masked)
        if not self.state.open:
            self._fold()

    # ---- rounds

    def _is_gathered(self) -> bool:
        present = len(self.state.present)
        if present < self._config.min_cohort:
            return False
        is_complete = self.state.round == 0 and present == len(self._roster().clients)
        return is_complete or self._now >= self.state.gather_until_ms

    def _roster(self) -> Roster:
        signed = self.state.roster
        if signed is None:
            raise AbortedError("the federation has no roster yet")
        return signed.open(Roster, ROSTER_TAG, self.state.config.key)

    def _begin(self) -> None:
        number = self.state.round + 1
        cohort = self._draw(number)
        tally = Tally(opened_ms=self._now, cohort=len(cohort))
        self.state = replace(self.state, phase=Phase.RUNNING, round=number, tally=tally)
        self._hold(self._algorithm.begin(self._inner(), number, cohort))

    def _draw(self, number: int) -> tuple[ClientId, ...]:
        """Return who takes part in a round (clove.txt, Algorithm 1 line 3)."""
        present, config = self.state.present, self._config
        count = max(config.min_cohort, round(config.participation * len(present)))
        if count >= len(present):
            return present
        drawn = stream(config.seed, "cohort", number).choice(len(present), count, replace=False)
        return tuple(sorted(present[index] for index in drawn))

    def _hold(self, inner: object) -> None:
        """Hold exchanges from the algorithm's state on, until one waits for clients."""
        while (exchange := self._algorithm.next(inner)) is not None:
            self._keep(inner)
            if self._open(exchange, inner):
                return
            inner = exchange.fold(inner, Replies())
        self._keep(inner)
        self._finish(inner)

    def _finish(self, inner: object) -> None:
        standing = self._algorithm.standing(inner)
        self._tx.announce(self._config.federation, "round", encode(self._report(inner)))
        # a round that found no group large enough waits for clients to come back
        pause = 0 if self.state.tally.sessions else self._config.stage_ms
        self.state = replace(
            self.state,
            phase=Phase.GATHERING,
            exchange="",
            before=standing.assignment,
            gather_until_ms=self._now + pause,
        )
        if self.state.round >= self._config.rounds:
            self._close(inner)
        else:
            self.advance()

    def _close(self, inner: object) -> None:
        models = {c: self._algorithm.personal(inner, c) for c in self._roster().clients}
        packed = Asks(self._tx.save_artefact)
        gifts = {client: packed.save(tree) for client, tree in models.items() if tree}
        self.state = replace(self.state, phase=Phase.CLOSED, gifts=gifts)
        self._tx.announce(self._config.federation, "closed", encode(self.state.round))

    def _report(self, inner: object) -> RoundReport:
        standing, tally, plan = self._algorithm.standing(inner), self.state.tally, self._config
        held = self.state.held.items()
        delta = plan.privacy.delta if plan.privacy else 0.0
        cost = totals(
            [r for name, n in held for r in releases(plan, plan.exchange(name)) * n],
            delta or 1e-5,
        )
        now, before = standing.assignment, self.state.before
        both = sorted(now.keys() & before.keys())
        return RoundReport(
            round=self.state.round,
            assignment=standing.assignment,
            agreement=agreement([before[c] for c in both], [now[c] for c in both])
            if both
            else None,
            stable_share=standing.stable_share,
            accuracy_before=standing.accuracy,
            epsilon_embedding=_finite(cost.embedding),
            epsilon_update=_finite(cost.update),
            epsilon_metrics=_finite(cost.metrics),
            epsilon_total=_finite(cost.total),
            delta=delta,
            snr_embedding=tally.signals.embedding.ratio,
            snr_update=tally.signals.update.ratio,
            snr_metrics=tally.signals.metrics.ratio,
            cohort=tally.cohort,
            dropouts=tally.dropouts,
            aborted_attempts=tally.aborted,
            bytes_up=tally.bytes_up,
            milliseconds=self._now - tally.opened_ms,
        )

    # ---- exchanges

    def _open(self, exchange: Exchange[Any, Any], inner: object) -> bool:
        """Open a session for each group large enough to hide a client; False if there is none.

        The members of a smaller group sit this exchange out: its sum would show one of them.
        """
        groups: dict[int, list[ClientId]] = defaultdict(list)
        for client in exchange.cohort(inner):
            groups[exchange.group(inner, client)].append(client)
        least = self._config.min_cohort if exchange.reveal is Reveal.SUM else 1
        found = {group: clients for group, clients in groups.items() if len(clients) >= least}
        if not found:
            return False
        held = {**self.state.held, exchange.name: self.state.held.get(exchange.name, 0) + 1}
        self.state = replace(self.state, exchange=exchange.name, sums=(), replies=(), held=held)
        for group in sorted(found):
            fewest = self._fewest(exchange, found[group])
            self._open_session(exchange, inner, group, found[group], attempt=1, least=fewest)
        return True

    def _open_session(
        self,
        exchange: Exchange[Any, Any],
        inner: object,
        group: int,
        clients: Sequence[ClientId],
        *,
        attempt: int,
        least: int,
    ) -> None:
        packed = Asks(self._tx.save_artefact)
        asks = {client: packed.save(exchange.ask(inner, client)) for client in clients}
        masked = exchange.reveal is Reveal.SUM
        if masked and len(set(asks.values())) != 1:
            raise LocalProtocolError(f"'{exchange.name}' asks one group about different models")
        numbers = quantiser(self._config, exchange)
        session = Session(
            federation=self._config.federation,
            config=self._config.hash,
            roster=self._roster().hash,
            round=self.state.round,
            phase=f"{exchange.name}/{group}",
            attempt=attempt,
            carriage=Carriage.MASKED if masked else Carriage.EACH,
            cohort=tuple(sorted(clients)),
            asks=tuple(sorted(set(asks.values()))),
            length=numbers.length,
            ring_bits=ring_bits(self._config, exchange, len(clients) if masked else 1),
            min_cohort=least,
            stage_ms=self._config.stage_ms,
            nonce=self._entropy.draw(32),
        )
        keys, reach = self._roster().clients, numbers.largest_sum(1)
        machine = (
            SumServer.open(session, keys, self._now)
            if masked
            else EachServer.open(session, keys, self._now, reach=reach)
        )
        opened = SessionState(group=group, asks=asks).moved(machine)
        sid = session.sid.hex()
        self._tx.save_session(sid, self._config.federation, encode(opened))
        tally = replace(self.state.tally, sessions=self.state.tally.sessions + 1)
        self.state = replace(self.state, open=(*self.state.open, sid), tally=tally)

    def _fewest(self, exchange: Exchange[Any, Any], clients: Collection[ClientId]) -> int:
        """Return how many a sum must hold: enough of those among whom its noise is shared."""
        if self._config.shares_noise and Use.UPDATE in exchange.uses:
            return max(self._config.min_cohort, threshold(len(clients)))
        return self._config.min_cohort

    def _fold(self) -> None:
        exchange = self._config.exchange(self.state.exchange)
        sums = {s.group: unpack(self._tx.artefact(s.content)) for s in self.state.sums}
        counts = {s.group: s.clients for s in self.state.sums}
        coins = {s.group: s.coin for s in self.state.sums}
        each = {c: t for sid in self.state.replies for c, t in self._replies(sid).items()}
        replies = Replies(each=each, sums=sums, counts=counts, coins=coins)
        honest = {s.group: s.honest for s in self.state.sums}
        signals = heard(self.state.tally.signals, self._config, exchange, replies, honest=honest)
        tally = replace(self.state.tally, signals=signals)
        self.state = replace(self.state, tally=tally)
        self._hold(exchange.fold(self._inner(), replies))

    def _replies(self, sid: str) -> dict[ClientId, Tree]:
        found = self._tx.session(sid)
        each = decode(found[1], SessionState).each if found else None
        if each is None:
            raise AbortedError("a session of single replies is missing from the store")
        return read_replies(self._tx, self._config, sid, each)

    # ---- sessions that are over

    def _miss(self, ended: SessionState) -> None:
        """Count who did not finish, and leave them out until they show up again."""
        lost = tuple(sorted(ended.missing))
        present = tuple(client for client in self.state.present if client not in lost)
        dropouts = tuple(sorted({*self.state.tally.dropouts, *lost}))
        tally = replace(self.state.tally, dropouts=dropouts)
        self.state = replace(self.state, present=present, tally=tally)

    def _take_sum(self, sid: str, ended: SessionState, machine: SumServer) -> None:
        """Keep the sums of a masked session, or try again if there are none."""
        try:
            total = self._unmask(sid, ended, machine)
        except AbortedError as error:
            aborted = ended.moved(machine.abort(str(error)))
            self._tx.save_session(sid, self._config.federation, encode(aborted))
            self._try_again(ended, str(error))
            return
        content = self._tx.save_artefact(pack(total))
        found = GroupSum(
            group=ended.group,
            content=content,
            clients=len(machine.u3),
            coin=public_coin(machine.session.sid, machine.h1),
            honest=honest_in(machine.session) if machine.session.attempt == 1 else None,
        )
        self.state = replace(self.state, sums=(*self.state.sums, found))

    def _unmask(self, sid: str, ended: SessionState, machine: SumServer) -> Tree:
        total = machine.total(StoredBodies(self._tx, sid))
        return from_ring(
            self._config,
            self._config.exchange(self.state.exchange),
            total,
            bits=ended.session.ring_bits,
            clients=len(machine.u3),
        )

    def _try_again(self, ended: SessionState, reason: str) -> None:
        """Open a new attempt among those still there, if enough clients and attempts are left."""
        tally = replace(self.state.tally, aborted=self.state.tally.aborted + 1)
        self.state = replace(self.state, tally=tally)
        name, phase = self._config.federation, ended.session.phase
        attempt = ended.session.attempt
        said = {"round": self.state.round, "phase": phase, "attempt": attempt, "reason": reason}
        self._tx.announce(name, "aborted", encode(said))
        left = [client for client in ended.session.cohort if client in self.state.present]
        least = ended.session.min_cohort
        if attempt < MOST_ATTEMPTS and len(left) >= least:
            exchange, inner = self._config.exchange(self.state.exchange), self._inner()
            self._open_session(exchange, inner, ended.group, left, attempt=attempt + 1, least=least)

    # ---- the algorithm's own state

    def _inner(self) -> Any:  # noqa: ANN401  every algorithm has its own state type
        return decode(self._tx.artefact(self.state.algorithm), self._algorithm.state)

    def _keep(self, inner: object) -> None:
        self.state = replace(self.state, algorithm=self._tx.save_artefact(encode(inner)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
