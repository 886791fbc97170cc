"""A share of the clients per round (Algorithm 1, line 3)."""

from tests.engine.builders import LOUD, NAME, Toy
from tests.engine.test_federation import ari


def test_each_round_draws_its_share_of_the_clients() -> None:
    toy = Toy(clients=20, changes={"participation": 0.4, "rounds": 6})
    toy.start()
    toy.run()
    assert [report.cohort for report in toy.coordinator.reports(NAME)] == [8] * 6


def test_a_share_below_the_smallest_sum_draws_that_many() -> None:
    toy = Toy(clients=12, changes={"participation": 0.01, "rounds": 2, "algorithm": "fedavg"})
    toy.start()
    toy.run()
    assert [report.cohort for report in toy.coordinator.reports(NAME)] == [3, 3]


def test_rounds_draw_different_clients() -> None:
    toy = Toy(clients=12, changes={"participation": 0.5, "rounds": 4, "algorithm": "fedavg"})
    toy.start()
    toy.run()
    answered = [
        {name for name in toy.names if any(m.round == r for m in toy.journals[name].marks(NAME))}
        for r in range(1, 5)
    ]
    assert all(len(names) == 6 for names in answered)
    assert len({frozenset(names) for names in answered}) > 1


def test_clove_finds_the_groups_from_a_third_of_the_clients_a_round() -> None:
    changes = {"participation": 0.34, "rounds": 12, "options": {"clustering_rounds": 12}}
    toy = Toy(clients=36, changes=changes)
    toy.start()
    toy.run()
    assert ari(toy) == 1.0
    assert len(toy.assignment()) > 12


def test_a_client_that_is_not_drawn_releases_nothing() -> None:
    toy = Toy(clients=12, changes={"participation": 0.25, "rounds": 1, "privacy": LOUD})
    toy.start()
    toy.run()
    charged = [name for name in toy.names if toy.journals[name].entries()]
    assert len(charged) == 3


def test_rounds_without_a_group_large_enough_wait_a_stage_each() -> None:
    toy = Toy(clients=9, changes={"rounds": 40})
    toy.start()
    toy.run(until_round=3)
    toy.run(toy.names[:3])  # one of each group is left
    reports = toy.coordinator.reports(NAME)
    idle = [report for report in reports if report.bytes_up == 0]
    assert len(reports) == 40
    assert len(idle) > 20
    assert toy.now >= len(idle) * toy.config.stage_ms
