"""Figures that the paper printed, each with the line of its text that holds it.

The text below holds a paragraph for each table, or for each data set whose rows have other names.
Its head tells the data sets and the measures; columns are every data set of the first measure, then
of the next. A row tells its name, the algorithm, its line of clove.txt and its cells, where never
is the paper's dash. To add a baseline is to add its lines.

Source: clove.txt, Tables 1-5 and 8-17, and D.1.4.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import inf, nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One printed figure.

    Attributes:
        mean: Over three seeds; infinite where the paper prints a dash.
        deviation: Over the same, of the population (3.0 ± 0.8 of Table 14 can only be rounds 2, 3
            and 4, divided by three); not a number beside a dash.
        line: Of clove.txt, from 1.
    """

    mean: float
    deviation: float
    line: int

    @property
    def is_never(self) -> bool:
        """Whether the paper prints a dash: in one seed at least, the event did not happen.

        The paper words it "never achieved", yet prints dashes beside a mean ARI of 0.92 (Table 10,
        IFCA), which two seeds at 1 and one at 0.75 explain: a mean over seeds that is infinite.
        """
        return self.mean == inf


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Which printed cell.

    Attributes:
        table: Number of the paper's table; 0 for a figure in its text.
        dataset: Name in this library's catalogue.
        row: Kind of partition (Tables 1-5, 8-13), participation such as ``rho-0.1`` (14), count
            such as ``clients-50`` (15, 16) or variant such as ``no-matching`` (17).
        algorithm: Name of the registry.
        measure: ``accuracy`` (percent of test examples), ``loss`` (of test examples), ``ari`` (at
            the end), ``ari_10`` (in 10 rounds), ``first_round`` (with an ARI of 0.9 or more) or
            ``stable_round`` (in which the clusters count as stable).
    """

    table: int
    dataset: str
    row: str
    algorithm: str
    measure: str


def _figures(paragraph: str) -> Iterator[tuple[Place, Figure]]:
    head, *rows = paragraph.strip().splitlines()
    table, datasets, measures = head.removeprefix("table ").split(" | ")
    columns = [(d, m) for m, d in product(measures.split(), datasets.split())]
    for text in rows:
        row, algorithm, line, *cells = text.split()
        for (dataset, measure), cell in zip(columns, cells, strict=True):
            place = Place(
                table=int(table), dataset=dataset, row=row, algorithm=algorithm, measure=measure
            )
            yield place, _figure(cell, line=int(line))


def _figure(cell: str, *, line: int) -> Figure:
    if cell == "never":
        return Figure(mean=inf, deviation=nan, line=line)
    mean, deviation = map(float, cell.split("±"))
    return Figure(mean=mean, deviation=deviation, line=line)


_PRINTED = """
table 1 | mnist cifar10 fashion-mnist | accuracy
label-skew-1   fedavg  202   87.4±0.9   34.0±3.6   64.7±1.2
label-skew-1   local   203   99.5±0.1   85.4±1.6   98.8±0.1
label-skew-1   ifca    212   99.1±0.5   85.7±6.5   97.8±1.9
label-skew-1   clove   213   99.8±0.0   90.5±0.1   99.1±0.0
concept-shift  fedavg  202   52.4±0.3   63.1±1.7   49.1±0.1
concept-shift  local   203   94.8±0.3   45.1±0.4   78.3±0.4
concept-shift  ifca    212   80.0±0.2   52.7±4.7   67.0±6.2
concept-shift  clove   213   97.6±0.1   58.4±0.6   84.3±0.2
label-skew-2   fedavg  214   76.4±0.3   47.7±4.0   55.2±1.6
label-skew-2   local   215   94.2±0.2   55.9±1.8   86.1±0.4
label-skew-2   ifca    224   96.8±0.2   63.4±3.4   89.4±1.3
label-skew-2   clove   225   97.1±0.3   66.8±2.3   90.1±0.3
feature-skew   fedavg  214   90.0±0.6   52.4±2.5   76.5±0.3
feature-skew   local   215   93.0±0.1   38.5±1.6   75.8±0.2
feature-skew   ifca    224   95.9±2.0   50.8±7.0   83.5±0.3
feature-skew   clove   225   97.7±0.1   57.1±1.8   85.1±0.2

table 2 | mnist cifar10 fashion-mnist | ari
label-skew-1   ifca   234   0.83±0.12  0.91±0.13  0.92±0.12
label-skew-1   clove  235   1.00±0.00  1.00±0.00  1.00±0.00
concept-shift  ifca   234   0.68±0.00  0.76±0.17  0.55±0.18
concept-shift  clove  235   1.00±0.00  1.00±0.00  1.00±0.00
label-skew-2   ifca   240   0.83±0.12  0.81±0.13  0.92±0.12
label-skew-2   clove  241   1.00±0.00  1.00±0.00  1.00±0.00
feature-skew   ifca   240   0.67±0.28  0.71±0.22  0.55±0.10
feature-skew   clove  241   1.00±0.00  1.00±0.00  1.00±0.00

table 3 | amazon-reviews | accuracy
groups  fedavg  260   99.0±0.1
groups  local   261   81.2±0.4
groups  ifca    270   85.5±0.5
groups  clove   271   86.8±0.4

table 3 | ag-news | accuracy
label-pairs  fedavg  260   40.2±0.1
label-pairs  local   261   51.4±1.1
label-pairs  ifca    270   51.3±3.3
label-pairs  clove   271   55.1±0.2

table 4 | mnist cifar10 fashion-mnist | loss
single-class  fedavg  276   0.032±0.001  0.026±0.000  0.030±0.000
single-class  local   277   0.019±0.000  0.022±0.000  0.170±0.000
single-class  ifca    278   0.024±0.005  0.019±0.000  0.020±0.002
single-class  clove   279   0.014±0.000  0.021±0.000  0.016±0.000

table 5 | mnist cifar10 fashion-mnist | ari_10 first_round
label-skew-1   ifca   298   0.83±0.12  0.72±0.00  0.83±0.12  never      never      never
label-skew-1   clove  299   1.00±0.00  1.00±0.00  1.00±0.00  2.0±0.0    2.0±0.0    2.0±0.0
concept-shift  ifca   304   0.68±0.00  0.76±0.17  0.55±0.18  never      never      never
concept-shift  clove  305   1.00±0.00  1.00±0.00  1.00±0.00  2.0±0.0    2.3±0.5    2.0±0.0

table 8 | mnist cifar10 fashion-mnist | accuracy
label-skew-3  fedavg  1030  99.0±0.0   84.1±0.5   88.8±0.3
label-skew-3  local   1031  85.9±0.6   41.1±1.5   71.1±0.4
label-skew-3  ifca    1040  94.2±0.2   57.3±1.9   80.6±1.0
label-skew-3  clove   1041  94.2±0.2   56.9±0.5   79.5±0.5
label-skew-4  fedavg  1042  98.5±0.1   60.7±0.8   85.9±0.2
label-skew-4  local   1043  94.8±0.2   67.1±0.5   85.5±0.1
label-skew-4  ifca    1052  98.0±0.1   64.3±0.9   89.4±0.2
label-skew-4  clove   1053  97.8±0.2   72.6±0.3   89.9±0.1

table 9 | mnist cifar10 fashion-mnist | ari
label-skew-3  ifca   1062  0.92±0.12  0.69±0.08  0.65±0.15
label-skew-3  clove  1063  1.00±0.00  1.00±0.00  1.00±0.00
label-skew-4  ifca   1068  0.55±0.03  0.36±0.22  0.50±0.05
label-skew-4  clove  1069  0.60±0.10  1.00±0.00  0.95±0.07

table 10 | mnist cifar10 fashion-mnist | ari_10 first_round
label-skew-2  ifca   1079  0.83±0.12  0.72±0.00  0.92±0.12  never      never      never
label-skew-2  clove  1080  1.00±0.00  1.00±0.00  1.00±0.00  2.0±0.0    2.0±0.0    2.0±0.0
label-skew-3  ifca   1085  0.92±0.12  0.69±0.08  0.65±0.15  never      never      never
label-skew-3  clove  1086  1.00±0.00  1.00±0.00  1.00±0.00  2.0±0.0    2.0±0.0    2.0±0.0
label-skew-4  ifca   1091  0.54±0.03  0.70±0.12  0.50±0.05  never      never      never
label-skew-4  clove  1092  0.90±0.07  1.00±0.00  1.00±0.00  2.0±0.0    2.0±0.0    2.0±0.0
feature-skew  ifca   1097  0.67±0.28  0.71±0.22  0.55±0.10  never      never      never
feature-skew  clove  1098  1.00±0.00  1.00±0.00  1.00±0.00  2.0±0.0    4.3±0.9    2.0±0.0

table 11 | amazon-reviews | ari
groups  ifca   1107  0.29±0.20
groups  clove  1108  0.73±0.24

table 11 | ag-news | ari
label-pairs  ifca   1107  0.64±0.12
label-pairs  clove  1108  0.94±0.09

table 12 | amazon-reviews | ari_10 first_round
groups  ifca   1126  0.29±0.20  never
groups  clove  1127  0.72±0.04  never

table 12 | ag-news | ari_10 first_round
label-pairs  ifca   1126  0.64±0.12  never
label-pairs  clove  1127  0.94±0.09  2.0±0.0

table 13 | cifar10 | accuracy stable_round
label-skew-1   clove  1136  90.7±0.2   4.0±0.0
label-skew-2   clove  1137  67.2±1.5   4.0±0.0
feature-skew   clove  1138  58.2±1.2   6.3±1.2
concept-shift  clove  1139  59.4±0.4   4.0±0.0

table 14 | mnist | accuracy ari ari_10 first_round
rho-1.0   clove  1148  99.5±0.1   1.00±0.00  1.00±0.00  2.0±0.0
rho-0.9   clove  1149  99.6±0.1   1.00±0.00  1.00±0.00  2.0±0.0
rho-0.75  clove  1150  99.4±0.2   1.00±0.00  1.00±0.00  2.0±0.0
rho-0.5   clove  1151  99.6±0.1   1.00±0.00  1.00±0.00  2.0±0.0
rho-0.25  clove  1152  99.4±0.1   1.00±0.00  1.00±0.00  2.0±0.0
rho-0.1   clove  1153  99.6±0.2   1.00±0.00  1.00±0.00  3.0±0.8

table 15 | mnist cifar10 fashion-mnist | ari accuracy
clients-50    ifca   1200  0.92±0.11  0.85±0.11  0.74±0.22  99.2±0.8   83.7±5.3   96.8±2.3
clients-100   ifca   1201  0.85±0.11  0.65±0.25  0.93±0.11  99.1±0.5   72.7±12.7  97.4±2.6
clients-250   ifca   1202  0.87±0.18  0.85±0.10  0.85±0.10  99.4±0.7   80.9±7.7   98.6±0.5
clients-500   ifca   1203  0.93±0.10  0.85±0.10  0.85±0.10  97.1±2.9   77.3±5.8   89.2±7.7
clients-1000  ifca   1204  0.85±0.10  0.93±0.10  0.75±0.21  98.3±1.0   78.0±7.2   92.0±3.6
clients-50    clove  1205  1.00±0.00  1.00±0.00  1.00±0.00  99.8±0.0   90.8±0.2   99.1±0.0
clients-100   clove  1206  1.00±0.00  1.00±0.00  1.00±0.00  99.8±0.0   90.3±0.6   99.3±0.0
clients-250   clove  1207  1.00±0.00  1.00±0.00  1.00±0.00  99.9±0.0   91.2±1.5   99.3±0.0
clients-500   clove  1208  1.00±0.00  1.00±0.00  1.00±0.00  99.6±0.1   82.3±1.5   95.3±4.4
clients-1000  clove  1209  1.00±0.00  1.00±0.00  1.00±0.00  99.6±0.1   84.6±1.2   96.5±3.0

table 16 | mnist | loss ari
clients-100   ifca   1214  0.055±0.001  0.091±0.064
clients-200   ifca   1215  0.055±0.001  0.079±0.060
clients-500   ifca   1216  0.059±0.002  0.210±0.149
clients-1000  ifca   1217  0.067±0.002  0.186±0.137
clients-100   clove  1218  0.065±0.001  1.000±0.000
clients-200   clove  1219  0.063±0.000  1.000±0.000
clients-500   clove  1220  0.065±0.000  1.000±0.000
clients-1000  clove  1221  0.073±0.000  1.000±0.000

table 17 | cifar10 | accuracy
original       clove  1245  58.3±1.4
no-matching    clove  1246  55.8±0.6
agglomerative  clove  1247  59.3±1.5
square-root    clove  1248  58.1±3.3

table 0 | femnist | accuracy
writers  clove  1116  68.2±1.3
"""

PUBLISHED: Mapping[Place, Figure] = {
    place: figure for paragraph in _PRINTED.split("\n\n") for place, figure in _figures(paragraph)
}
"""Every figure of the tables, by its place."""
