"""Whether so many have answered that a stage can close with a set to go on with.

Source: protocol.md, "Sets and numbers" and "Graph".
"""

from collections.abc import Collection, Mapping

from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.session import Session
from secure_clove.secagg.stages import TRANSITIONS, Stage
from secure_clove.secagg.transcript import fewest, fewest_adverts, threshold


def shortage(
    stage: Stage,
    heard: Mapping[str, Collection[ClientId]],
    *,
    expected: int,
    session: Session,
    graph: Graph,
) -> str:
    """Return why the answers to a stage are too few; nothing if they are enough.

    Args:
        stage: The one that closes.
        heard: Who answered it and each step before.
        expected: How many could have answered it.
        session: What is summed.
        graph: Of U1.
    """
    rule = TRANSITIONS[stage]
    count = len(heard[rule.step])
    least = _least(stage, session, len(heard["advert"]))
    answered = f"answered {rule.number} ({rule.step}) before the deadline"
    if count < least:
        return f"{count} of {expected} clients {answered}, at least {least} are needed"
    if stage is Stage.OPEN:
        return ""
    thinnest = graph.thinnest(heard[rule.step], heard["shares"])
    if thinnest < graph.threshold:
        return (
            f"only {thinnest} of the {2 * graph.reach + 1} clients around one {answered}, "
            f"at least {graph.threshold} are needed"
        )
    return ""


def _least(stage: Stage, session: Session, adverts: int) -> int:
    if stage is Stage.OPEN:
        return fewest_adverts(session)
    if stage in (Stage.ADVERTISED, Stage.SHARED):
        return fewest(session, adverts)
    return threshold(adverts)
