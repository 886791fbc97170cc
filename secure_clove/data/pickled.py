"""Data out of a Python 2 pickle without running it: the one array format of CIFAR-10's batches.

A pickle is a program. The standard library's ``pickletools`` only decodes it into opcodes; this
file carries out the few that build dicts, lists, numbers, strings and an array of unsigned bytes.
Every other opcode, and every name but the three of numpy, is refused before anything is made. So no
unpickler is needed, and a hostile file has nothing to call.
"""

import pickletools
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError

RECONSTRUCT = "numpy.core.multiarray _reconstruct"
NDARRAY = "numpy ndarray"
DTYPE = "numpy dtype"

Stack = list[Any]


class _Name:
    """One of the three names, which stands for itself and cannot be called."""

    def __init__(self, name: str) -> None:
        if name not in (RECONSTRUCT, NDARRAY, DTYPE):
            raise DataError("the file names code that a data set has no use for; do not trust it")
        self.name = name


class _Bytes:
    """An array of unsigned bytes, or its element type, before and after its state is known."""

    def __init__(self, *, is_array: bool) -> None:
        self.is_array = is_array
        self.array: NDArray[np.uint8] | None = None


_MARK = object()


def decode(data: bytes) -> Mapping[str, object]:
    """Return the dict that one pickled CIFAR-10 batch describes.

    Args:
        data: The file. Strings come back decoded as Latin-1, arrays as uint8.

    Raises:
        DataError: anything else than such a dict: another opcode, another name, a broken stream.
    """
    stack: Stack = []
    memo: dict[object, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif opcode.name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            else:
                _step(opcode.name, argument, stack)
        (result,) = stack
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, Warning) as error:
        raise DataError("not a complete pickled batch") from error
    if not isinstance(result, dict):
        raise DataError("not a pickled batch: a dict was expected")
    return {key: v.array if isinstance(v, _Bytes) else v for key, v in result.items()}


def _step(name: str, argument: Any, stack: Stack) -> None:  # noqa: ANN401  pickletools' own type
    if name in _LITERALS:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name]())
    elif name in _ACTIONS:
        _ACTIONS[name](stack)
    elif name == "GLOBAL":
        stack.append(_Name(argument))
    elif name not in ("PROTO", "STOP"):
        raise DataError(f"the file uses pickle opcode {name}, which no batch of CIFAR-10 needs")


def _after_mark(stack: Stack) -> Stack:
    start = max(i for i, item in enumerate(stack) if item is _MARK)
    found = stack[start + 1 :]
    del stack[start:]
    return found


def _tuple(count: int) -> Callable[[Stack], None]:
    def act(stack: Stack) -> None:
        stack[-count:] = [tuple(stack[-count:])]

    return act


def _mark_tuple(stack: Stack) -> None:
    found = tuple(_after_mark(stack))
    stack.append(found)


def _append(stack: Stack) -> None:
    found = _after_mark(stack)
    stack[-1].extend(found)


def _set(stack: Stack) -> None:
    found = _after_mark(stack)
    stack[-1].update(zip(found[::2], found[1::2], strict=True))


def _reduce(stack: Stack) -> None:
    arguments, called = stack.pop(), stack.pop()
    first = arguments[0]
    if called.name == DTYPE and first == "u1":
        stack.append(_Bytes(is_array=False))
    elif called.name == RECONSTRUCT and first.name == NDARRAY:
        stack.append(_Bytes(is_array=True))
    else:
        raise DataError("the file calls more than numpy's array of unsigned bytes")


def _build(stack: Stack) -> None:
    state, built = stack.pop(), stack[-1]
    if built.is_array:
        _, shape, element, is_fortran, content = state
        if element.is_array or not all(type(size) is int and size > 0 for size in shape):
            raise DataError("the file builds an array that is not of unsigned bytes")
        built.array = _array(content.encode("latin-1"), shape, is_fortran=bool(is_fortran))


def _array(content: bytes, shape: Sequence[int], *, is_fortran: bool) -> NDArray[np.uint8]:
    if len(content) != prod(shape):
        raise DataError(f"an array of {prod(shape)} bytes holds {len(content)}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape, order="F" if is_fortran else "C")


_LITERALS = frozenset({"SHORT_BINSTRING", "BINSTRING", "BININT", "BININT1", "BININT2"})
_CONSTANTS: Mapping[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWFALSE": lambda: False,
    "NEWTRUE": lambda: True,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "MARK": lambda: _MARK,
}
_ACTIONS: Mapping[str, Callable[[Stack], None]] = {
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": _mark_tuple,
    "APPENDS": _append,
    "SETITEMS": _set,
    "REDUCE": _reduce,
    "BUILD": _build,
}
