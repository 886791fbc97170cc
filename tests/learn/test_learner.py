"""A learner answers for one client, the same way each time it is asked."""

import numpy as np
import pytest

from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import initial, linear
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from tests.learn.builders import examples, learner, make_linear, make_network, task, weights

PLAIN = TrainingSpec(learning_rate=0.5, steps=10)
PRIVATE = TrainingSpec(learning_rate=0.5, steps=2, clip=1.0, noise_multiplier=2.0)


def test_a_learner_counts_its_examples() -> None:
    made = learner(PLAIN)
    assert (made.examples, made.held_out) == (20, 12)


def test_losses_have_one_row_per_example_and_one_column_per_model() -> None:
    assert learner(PLAIN).losses(initial(make_linear, 4, seed=0)).shape == (20, 4)


def test_training_lowers_the_losses() -> None:
    made = learner(PLAIN, model=make_network)
    start = weights(make_network)
    before, after = made.losses(np.stack([start, made.train(start, SimulatedEntropy(0))])).mean(0)
    assert after < 0.7 * before


def test_training_does_not_change_the_model_it_was_given() -> None:
    start = weights()
    learner(PLAIN).train(start, SimulatedEntropy(0))
    np.testing.assert_array_equal(start, weights())


@pytest.mark.parametrize("spec", [PLAIN, PRIVATE])
def test_the_answers_do_not_depend_on_what_was_asked_before(spec: TrainingSpec) -> None:
    made, start = learner(spec, model=make_network), weights(make_network)
    expected = made.train(start, SimulatedEntropy(1))
    rows = made.losses(np.stack([start]))
    made.train(weights(make_network, seed=9), SimulatedEntropy(0))
    made.correct(expected)
    np.testing.assert_array_equal(made.train(start, SimulatedEntropy(1)), expected)
    np.testing.assert_array_equal(made.losses(np.stack([start])), rows)


def test_local_training_of_a_private_learner_has_no_noise() -> None:
    plain = TrainingSpec(learning_rate=0.5, steps=2)
    start, drawn = weights(), SimulatedEntropy(0)
    expected = learner(plain).train(start, drawn)
    np.testing.assert_array_equal(learner(PRIVATE).train_locally(start, drawn), expected)


def test_another_exchange_draws_other_noise() -> None:
    made = learner(PRIVATE)
    first, second = (made.train(weights(), SimulatedEntropy(r)) for r in (1, 2))
    assert not np.array_equal(first, second)


def test_correct_counts_held_out_predictions() -> None:
    _, y = examples(12, seed=1)
    made = learner(PLAIN)
    for label in range(3):
        model = np.zeros(len(weights()))
        model[len(model) - 3 + label] = 1.0  # the bias of one class
        assert made.correct(model) == int((y == label).sum())


def test_nothing_held_out_gives_nothing_correct() -> None:
    made = TorchLearner(task(test=0), PLAIN)
    assert made.correct(weights()) == 0


def test_a_regression_has_nothing_to_count() -> None:
    x, _ = examples(4)
    made = TorchLearner(
        TorchTask(model=lambda: linear(6, 6), train=(x, x), test=(x, x), loss="mse"),
        PLAIN,
    )
    assert (made.held_out, made.correct(np.zeros(42))) == (0, 0)


def test_a_regression_is_trained() -> None:
    x, _ = examples(30)
    made = TorchLearner(
        TorchTask(model=lambda: linear(6, 6), train=(x, 2 * x), test=(x, x), loss="mse"),
        TrainingSpec(learning_rate=0.5, steps=50),
    )
    before, after = made.losses(
        np.stack([np.zeros(42), made.train(np.zeros(42), SimulatedEntropy(0))])
    ).mean(0)
    assert after < 0.1 * before


def test_a_training_that_diverges_returns_nothing() -> None:
    made = learner(TrainingSpec(learning_rate=1e38, steps=5), model=make_network)
    with pytest.raises(DataError, match="lower the learning rate"):
        made.train(weights(make_network), SimulatedEntropy(0))


def test_a_model_of_another_architecture_is_refused_by_every_question() -> None:
    made, other = learner(PLAIN), np.zeros(5)
    for ask in (
        lambda model: made.train(model, SimulatedEntropy(0)),
        made.correct,
        lambda model: made.losses(np.stack([model])),
    ):
        with pytest.raises(DataError, match="another architecture"):
            ask(other)


def test_five_private_rounds_learn_the_digits_of_a_client() -> None:
    data = label_skew_1(*digits(), seed=0).clients[ClientId("client-00")]
    made = TorchLearner(
        TorchTask(
            model=lambda: linear(64, 10),
            train=(data.train_x, data.train_y),
            test=(data.test_x, data.test_y),
        ),
        TrainingSpec(learning_rate=2.0, steps=5, clip=1.0, noise_multiplier=1.0),
    )
    trained = made.train(initial(lambda: linear(64, 10), 1, seed=0)[0], SimulatedEntropy(0))
    assert made.correct(trained) >= 0.85 * made.held_out
