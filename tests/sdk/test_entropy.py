"""Production bytes come from the operating system and cannot be repeated."""

import ast
import inspect

from secure_clove.foundation.seeds import Entropy
from secure_clove.sdk import entropy
from secure_clove.sdk.entropy import SystemEntropy


def test_it_says_that_its_bytes_cannot_be_predicted() -> None:
    source: Entropy = SystemEntropy()
    assert not source.is_simulated


def test_a_draw_has_as_many_bytes_as_asked() -> None:
    assert [len(SystemEntropy().draw(count)) for count in (0, 1, 32, 1000)] == [0, 1, 32, 1000]


def test_no_draw_repeats_an_earlier_one() -> None:
    source = SystemEntropy()
    assert len({source.draw(16) for _ in range(100)}) == 100


def test_two_sources_and_two_forks_give_other_bytes() -> None:
    sources = [
        SystemEntropy(),
        SystemEntropy(),
        SystemEntropy().fork("a"),
        SystemEntropy().fork("a"),
    ]
    assert len({source.draw(16) for source in sources}) == 4


def test_a_fork_is_as_unpredictable_as_its_source() -> None:
    assert isinstance(SystemEntropy().fork("noise", 1), SystemEntropy)


def test_its_only_source_is_the_operating_system() -> None:
    tree = ast.parse(inspect.getsource(entropy))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert calls == ["os.urandom"]
