"""House rules that no linter knows, checked on the syntax trees."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.source import Source, calls, imports, library, module, places, shipped
from tests.builders import REPOSITORY, needs_checkout

LONGEST = 350


def breaking(rule: Callable[[Source], object]) -> list[str]:
    """Return the shipped files that ``rule`` finds something in."""
    return [source.path for source in shipped() if rule(source)]


def test_no_file_is_too_long_to_read() -> None:
    assert breaking(lambda source: source.lines > LONGEST) == []


def test_nothing_is_asserted_outside_tests() -> None:
    """Python -O deletes assertions."""
    assert breaking(lambda source: places(source, ast.Assert)) == []


def test_no_module_that_unpickles_is_imported() -> None:
    loaders = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert breaking(lambda s: {name.partition(".")[0] for name in imports(s)} & loaders) == []


def test_nothing_is_evaluated() -> None:
    runners = {"eval", "exec", "compile", "__import__"}
    assert breaking(lambda source: {name for name, _ in calls(source)} & runners) == []


def test_arrays_and_tensors_are_never_loaded_with_code_in_them() -> None:
    assert breaking(_loads_code) == []


def _loads_code(source: Source) -> bool:
    for name, call in calls(source):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
            return True
    return any(name == "torch.load" for name, _ in calls(source))


def test_every_file_opens_with_its_reason_to_exist() -> None:
    def has_none(source: Source) -> bool:
        first, *_ = (ast.get_docstring(source.tree) or "").splitlines() or [""]
        return not first.endswith((".", "?", "!"))

    assert breaking(has_none) == []


def test_dataclasses_are_frozen_and_slotted() -> None:
    def is_loose(source: Source) -> bool:
        made = [decorator for _, decorator in dataclasses(source)]
        return any("frozen=True" not in d or "slots=True" not in d for d in made)

    assert breaking(is_loose) == []


def test_a_dataclass_with_arrays_has_no_equality() -> None:
    def compares(source: Source) -> bool:
        return any(_holds_arrays(node) and "eq=False" not in d for node, d in dataclasses(source))

    assert breaking(compares) == []


def dataclasses(source: Source) -> Iterator[tuple[ast.ClassDef, str]]:
    """Yield every dataclass of a file with its decorator."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            for decorator in map(ast.unparse, node.decorator_list):
                if decorator.startswith("dataclass"):
                    yield node, decorator


def _holds_arrays(node: ast.ClassDef) -> bool:
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    kinds = [ast.unparse(field.annotation) for field in fields]
    return any(kind.startswith(("Vector", "NDArray", "Tensor", "Tree")) for kind in kinds)


def test_a_folder_of_the_library_says_what_it_is_and_imports_nothing() -> None:
    folders = [s for s in library() if s.path.endswith("__init__.py") and s.path.count("/") > 1]
    assert len(folders) >= 13
    assert [s.path for s in folders if len(s.tree.body) != 1 or not ast.get_docstring(s.tree)] == []


@needs_checkout
@pytest.mark.parametrize("name", ["examples", "benchmarks"])
def test_no_folder_is_shadowed_by_what_opacus_installs(name: str) -> None:
    assert not (REPOSITORY / name).exists()


# ---- released noise

RELEASING = [
    "secure_clove/engine/guard.py",
    "secure_clove/privacy/mechanisms.py",
    "secure_clove/learn/dpsgd.py",
]
PREDICTABLE = {
    *("Generator", "RandomState", "default_rng", "manual_seed", "seed", "stream", "normal_"),
    *("normal", "standard_normal", "randn", "randn_like", "rand", "rand_like", "randint"),
    *("integers", "bernoulli", "bernoulli_", "multinomial", "uniform", "uniform_", "shuffle"),
    *("permutation", "choice", "randperm", "poisson", "laplace", "exponential", "geometric"),
}


@pytest.mark.parametrize("path", RELEASING)
def test_released_noise_never_comes_from_a_predictable_generator(path: str) -> None:
    source = module(path)
    called = {name.rpartition(".")[2] for name, _ in calls(source)}
    assert not called & PREDICTABLE
    attributes = {ast.unparse(n) for n in ast.walk(source.tree) if isinstance(n, ast.Attribute)}
    assert not {name for name in attributes if name.startswith(("np.random", "torch.random"))}


@pytest.mark.parametrize("path", RELEASING)
def test_a_module_that_releases_noise_imports_no_generator(path: str) -> None:
    banned = {"random", "secrets", "numpy.random", "secure_clove.foundation.seeds.stream"}
    found = set(imports(module(path)))
    assert not {name for name in found if name in banned or name.startswith("numpy.random.")}


@pytest.mark.parametrize("path", RELEASING)
def test_a_module_that_releases_noise_takes_its_entropy_as_an_argument(path: str) -> None:
    assert "secure_clove.foundation.seeds.Entropy" in set(imports(module(path)))


def test_the_rule_would_see_a_predictable_generator() -> None:
    bad = ast.parse("noise = np.random.default_rng(0).normal(size=3)")
    source = Source(path="bad.py", lines=1, tree=bad)
    assert {name.rpartition(".")[2] for name, _ in calls(source)} & PREDICTABLE


def test_only_tests_and_simulations_may_use_simulated_entropy() -> None:
    users = [s.path for s in library() if "SimulatedEntropy" in {name for name, _ in calls(s)}]
    assert users == [
        "secure_clove/foundation/seeds.py",
        "secure_clove/studies/play/station.py",  # studies: no plan, no privacy, same again by seed
    ]


def test_the_operating_systems_randomness_enters_at_three_known_places() -> None:
    sources = {"os.urandom", "secrets", "random.SystemRandom"}
    found = {s.path for s in library() if {name for name, _ in calls(s)} & sources}
    found |= {s.path for s in library() if set(imports(s)) & sources}
    assert found == {
        "secure_clove/sdk/entropy.py",  # noise and keys
        "secure_clove/sdk/operator.py",  # enrolment tokens
        "secure_clove/transport/http.py",  # jitter between retries
    }


# ---- the tests themselves


def test_every_folder_of_tests_says_what_it_tests() -> None:
    folders = {path.parent for path in (REPOSITORY / "tests").rglob("test_*.py")}
    for folder in folders:
        init = folder / "__init__.py"
        assert init.is_file(), folder
        assert ast.get_docstring(ast.parse(init.read_text())), folder
