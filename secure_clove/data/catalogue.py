"""The data sets this library reads: their folders, homes, licences and distributions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from secure_clove.data import cifar, femnist, files, idx, reviews, text
from secure_clove.data.dataset import Dataset, Provenance
from secure_clove.data.files import File
from secure_clove.errors import ConfigError

Read: TypeAlias = Callable[[Mapping[str, bytes], Provenance], Dataset]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One form in which a data set is handed around.

    Attributes:
        name: Short name, such as ``idx``.
        files: What it consists of.
        read: Makes the data set of the files' bytes.
    """

    name: str
    files: tuple[File, ...]
    read: Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One data set.

    Attributes:
        name: What users call it.
        folder: Its folder in the data directory.
        home: Page of its publishers.
        licence: As far as it is known.
        distributions: Most complete first; the first one found is read.
        by_hand: How to get it where no file can be fetched; empty: ``data fetch`` does it.
    """

    name: str
    folder: str
    home: str
    licence: str
    distributions: tuple[Distribution, ...]
    by_hand: str = ""


MNIST = Entry(
    name="mnist",
    folder="mnist",
    home="http://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0",
    distributions=(
        Distribution(
            name="idx",
            read=idx.read_digits,
            files=files.MNIST,
        ),
    ),
)

FASHION_MNIST = Entry(
    name="fashion-mnist",
    folder="fashion-mnist",
    home="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    distributions=(
        Distribution(
            name="idx",
            read=idx.read_clothes,
            files=files.FASHION_MNIST,
        ),
    ),
)


CIFAR10 = Entry(
    name="cifar10",
    folder="cifar10",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; the author asks for a citation",
    distributions=(
        Distribution(
            name="python-archive",
            read=cifar.read_python_archive,
            files=files.CIFAR10_PYTHON_ARCHIVE,
        ),
        Distribution(
            name="binary-archive",
            read=cifar.read_binary_archive,
            files=files.CIFAR10_BINARY_ARCHIVE,
        ),
        Distribution(
            name="python",
            read=cifar.read_python,
            files=files.CIFAR10_PYTHON,
        ),
        Distribution(
            name="binary",
            read=cifar.read_binary,
            files=files.CIFAR10_BINARY,
        ),
        Distribution(
            name="subset",
            read=cifar.read_subset,
            files=files.CIFAR10_SUBSET,
        ),
    ),
)

AG_NEWS = Entry(
    name="ag-news",
    folder="ag_news",
    home="https://github.com/mhjabreel/CharCnn_Keras",
    licence="research and other non-commercial use",
    distributions=(
        Distribution(
            name="official",
            read=text.read_official,
            files=files.AG_NEWS,
        ),
        Distribution(
            name="subset",
            read=text.read_subset,
            files=files.AG_NEWS_SUBSET,
        ),
    ),
)

FEMNIST = Entry(
    name="femnist",
    folder="femnist",
    home="https://leaf.cmu.edu/",
    licence="images: public domain (NIST Special Database 19); LEAF's code: BSD-2",
    by_hand=(
        "run LEAF's data/femnist/preprocess.sh -s niid --sf 0.05 -k 0 -t sample and copy its "
        "data/train and data/test folders"
    ),
    distributions=(
        Distribution(
            name="leaf",
            read=femnist.read_leaf,
            files=files.FEMNIST_LEAF,
        ),
        Distribution(
            name="writers",
            read=femnist.read_writers,
            files=files.FEMNIST_WRITERS,
        ),
    ),
)

AMAZON_REVIEWS = Entry(
    name="amazon-reviews",
    folder="amazon_reviews",
    home="https://www.cs.jhu.edu/~mdredze/datasets/sentiment/",
    licence="none stated; research use",
    by_hand=(
        "unpack domain_sentiment_data.tar.gz from its home and copy books, dvd, electronics and "
        "kitchen_&_housewares (as kitchen), each with positive.review and negative.review"
    ),
    distributions=(
        Distribution(
            name="counts",
            read=reviews.read_counts,
            files=files.AMAZON_COUNTS,
        ),
        Distribution(
            name="reviews-gz",
            read=reviews.read_reviews,
            files=files.AMAZON_REVIEWS_GZ,
        ),
        Distribution(
            name="reviews",
            read=reviews.read_reviews,
            files=files.AMAZON_REVIEWS,
        ),
    ),
)

CATALOGUE: Mapping[str, Entry] = {
    entry.name: entry for entry in (MNIST, FASHION_MNIST, CIFAR10, AG_NEWS, AMAZON_REVIEWS, FEMNIST)
}
"""Every data set that is read from files, by name."""


def entry(name: str) -> Entry:
    """Return the entry called ``name``.

    Raises:
        ConfigError: there is none.
    """
    if name not in CATALOGUE:
        raise ConfigError(f"no data set '{name}'; choose one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
