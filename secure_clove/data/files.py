"""The files of every distribution: paths, sizes, SHA-256 digests and official addresses.

The digests of MNIST, Fashion-MNIST and AG News' test part were computed from files whose published
MD5 matches; those of the derived files from the files themselves. Those of CIFAR-10 and of AG News'
training part are printed alike by several independent projects; the files were not at hand here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a distribution.

    Attributes:
        path: Below the folder of the set; ``*`` stands for any name.
        sha256: Hex digest of the whole file; None: made by its user, so nobody can know.
        size: Bytes; None: unknown.
        url: Its official address; None: it is not offered as a single file.
    """

    path: str
    sha256: str | None = None
    size: int | None = None
    url: str | None = None


def _files(base: str | None, *rows: tuple[str, int | None, str]) -> tuple[File, ...]:
    return tuple(
        File(path=path, size=size, sha256=sha256, url=None if base is None else base + path)
        for path, size, sha256 in rows
    )


MNIST = _files(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

FASHION_MNIST = _files(
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    (
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)

CIFAR10_PYTHON_ARCHIVE = _files(
    "https://www.cs.toronto.edu/~kriz/",
    (
        "cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
)

CIFAR10_BINARY_ARCHIVE = _files(
    "https://www.cs.toronto.edu/~kriz/",
    (
        "cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
)

CIFAR10_PYTHON = _files(
    None,
    (
        "cifar-10-batches-py/data_batch_1",
        None,
        "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
    ),
    (
        "cifar-10-batches-py/data_batch_2",
        None,
        "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
    ),
    (
        "cifar-10-batches-py/data_batch_3",
        None,
        "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
    ),
    (
        "cifar-10-batches-py/data_batch_4",
        None,
        "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
    ),
    (
        "cifar-10-batches-py/data_batch_5",
        None,
        "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
    ),
    (
        "cifar-10-batches-py/test_batch",
        None,
        "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
    ),
)

CIFAR10_BINARY = _files(
    None,
    (
        "cifar-10-batches-bin/data_batch_1.bin",
        30_730_000,
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    ),
    (
        "cifar-10-batches-bin/data_batch_2.bin",
        30_730_000,
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    ),
    (
        "cifar-10-batches-bin/data_batch_3.bin",
        30_730_000,
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    ),
    (
        "cifar-10-batches-bin/data_batch_4.bin",
        30_730_000,
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    ),
    (
        "cifar-10-batches-bin/data_batch_5.bin",
        30_730_000,
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ),
    (
        "cifar-10-batches-bin/test_batch.bin",
        30_730_000,
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
)

CIFAR10_SUBSET = _files(
    None,
    (
        "cifar10_small_train8k_test2k.npz",
        28_216_894,
        "6a415ab9b53df332c757909fa2211fca07463b1525ab23691b31155ec8be1833",
    ),
)

AG_NEWS = _files(
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",
    ("train.csv", 29_470_338, "76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e"),
    ("test.csv", 1_857_427, "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699"),
)

AG_NEWS_SUBSET = (
    *_files(
        None,
        (
            "train_subset_5000.hf.csv",
            1_207_718,
            "23ff4a798bef4c6f1bab4018f491757b87e124901515e4e208461e022a163401",
        ),
    ),
    AG_NEWS[1],
)

FEMNIST_LEAF = (File(path="train/*.json"), File(path="test/*.json"))

FEMNIST_WRITERS = _files(
    None,
    (
        "femnist_105writers.npz",
        1_866_203,
        "7cabba53c70a2907bd000c7c246646bd87fe4b5affeb718d073724d07c587b64",
    ),
)

AMAZON_COUNTS = _files(
    None,
    (
        "amazon_bow5000_derived.npz",
        1_186_072,
        "4fc62633dc49d7d30d46991060629c9464cebfd521a42393166629668e483fd8",
    ),
)

AMAZON_REVIEWS_GZ = _files(
    None,
    (
        "books/negative.review.gz",
        545_503,
        "46520c6ebde9be268a2608d74411492d2d4df2c269ca7b079c91d0181252e7bf",
    ),
    (
        "books/positive.review.gz",
        528_638,
        "fdfd1f232bbe0ce6e7263bed5f63535e530a9a5294a2d099ab14796deca6683f",
    ),
    (
        "dvd/negative.review.gz",
        587_872,
        "d3eab9703fd895bd86d76fb67d02d47ac05bf1e1486f2d0836b379672d76f33d",
    ),
    (
        "dvd/positive.review.gz",
        635_167,
        "0e9388ba01835e1867b22e635b66356ad76f5c53f8a66df9a8a5293fcc8fcaef",
    ),
    (
        "electronics/negative.review.gz",
        346_465,
        "3edbdf3b734ebb72ad7b46048ddb108aa9712ca6fa1bb57bbd0cd278ac3430c5",
    ),
    (
        "electronics/positive.review.gz",
        345_017,
        "1e485acd90f6b4c822ebda8ad825b7393e67d9de4d7c83729591ab1caf2604e8",
    ),
    (
        "kitchen/negative.review.gz",
        300_898,
        "0c48bb15f6660a19aff9cfff8f67e3640d8049e561c77a3b0937b557bf6eb116",
    ),
    (
        "kitchen/positive.review.gz",
        303_727,
        "0c14d6dde8b92928448329fbfc21aba71eb0564993ca7b0b87de5ca5de2beda9",
    ),
)

AMAZON_REVIEWS = _files(
    None,
    (
        "books/negative.review",
        1_538_112,
        "4cd64715074b9a15587d69fe31d1f77b3baddec17dfbb0f35c558e3fddd63029",
    ),
    (
        "books/positive.review",
        1_510_897,
        "a7322ce98f6d37c8ae6531c4efcc0503b691717b39c0e64cfbb321ac9cabaa55",
    ),
    (
        "dvd/negative.review",
        1_589_766,
        "740259c8bbe6694ee350305c46f2777454803d00000f5d3402db7f282b4b5910",
    ),
    (
        "dvd/positive.review",
        1_696_787,
        "a25877855d2a1cfcb5b1dc6ac1a9fd29517c089743e59a51ce8c8f17403c0ac9",
    ),
    (
        "electronics/negative.review",
        1_113_533,
        "e8ab164d5cdea3be914afed4cffc41706d56de29f832c78acb3cccd541de8021",
    ),
    (
        "electronics/positive.review",
        1_105_030,
        "e5b048ded874b6c97354e3ce683f8f106199a6b586e4d9e7632d2fe021f4263d",
    ),
    (
        "kitchen/negative.review",
        1_019_958,
        "fc647f24f10e65e14d26f788185125c016451a45940252fa40aedfde51ed6902",
    ),
    (
        "kitchen/positive.review",
        1_019_002,
        "53044cb91876146aee00c7af3a35a99e310e06fa9d70700c31bd49cf4b5bbc93",
    ),
)
