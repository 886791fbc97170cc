"""Named arrays out of an npz file in memory, never with code in them."""

import zipfile
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError


def arrays(data: bytes, *names: str) -> list[NDArray[Any]]:
    """Return the arrays called ``names``, in that order.

    Raises:
        DataError: not an npz file, an array is missing, or one holds Python objects.
    """
    try:
        with np.load(BytesIO(data), allow_pickle=False) as file:
            return [file[name] for name in names]
    except KeyError as error:
        raise DataError(f"the file lacks one of the arrays {', '.join(names)}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError("not a complete npz file of plain arrays") from error
