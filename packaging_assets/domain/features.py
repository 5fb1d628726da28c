"""Features: which columns a model sees, how they are checked, and the frame that every learner gets.

A learner is handed its columns by name, in the order of its own feature set, never by position: CatBoost scores
permuted columns without a word.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NaiveDatetime, model_validator

from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.parquet_files import list_parts, one_group_in, part_name, read_column_names, read_parquet
from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.row_order import is_before_next

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
"""The value that stands for null in a categorical feature."""

TITLE = "title"
"""The column of titles. No model sees it; drift is looked for in it."""

FIT_COLUMNS = {package_type: f"fits_{package_type}" for package_type in PACKAGE_TYPES}
"""Per package type the boolean column that says whether the product fits into it."""


def _check_package_type(value: str) -> str:
    if value not in PACKAGE_TYPES:
        raise ValueError(f"{value!r} is not a package type; use one of {', '.join(PACKAGE_TYPES)}")
    return value


PackageType = Annotated[str, AfterValidator(_check_package_type)]
"""The name of one of the four package types, in the parameters of a step."""


class FeatureError(ValueError):
    """A table does not hold the features asked of it; the message names column, finding and expectation."""


FeatureKind = Literal["numeric", "embedding", "scores", "categorical", "text"]
"""What a feature is to a learner; an architecture says which kinds it takes."""


def score_column(model: str) -> str:
    """The column in which a model that feeds from `model` sees its score, P(suitable)."""
    return f"score_{model}"


class FeatureSet(BaseModel):
    """The columns a model is trained on, by kind and name, in the order in which it sees them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numeric: tuple[str, ...] = Field(
        default=(), description="Columns of numbers; null is a value of its own to the learner."
    )
    embedding: tuple[str, ...] = Field(
        default=(), description="Columns of numbers that mean something together only, such as an image's embedding."
    )
    scores: tuple[str, ...] = Field(
        default=(),
        description="Models whose scores are features; made on the way, no column of the inventory.",
    )
    categorical: tuple[str, ...] = Field(default=(), description=f"Columns of strings; null becomes {MISSING!r}.")
    text: tuple[str, ...] = Field(default=(), description="Columns of free text; null becomes the empty text.")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which the learner sees them."""
        return (*self.numeric, *self.embedding, *map(score_column, self.scores), *self.categorical, *self.text)

    @property
    def inventory_columns(self) -> tuple[str, ...]:
        """The columns that are read; the scores of other models are not among them."""
        return (*self.numeric, *self.embedding, *self.categorical, *self.text)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers, scores included."""
        return (*self.numeric, *self.embedding, *map(score_column, self.scores))

    @property
    def kinds(self) -> tuple[FeatureKind, ...]:
        """The kinds of which there is at least one column."""
        kinds: tuple[FeatureKind, ...] = ("numeric", "embedding", "scores", "categorical", "text")
        return tuple(kind for kind in kinds if getattr(self, kind))

    def without_scores(self) -> FeatureSet:
        """The same features less the scores of other models; perhaps none."""
        return self.model_copy(update={"scores": ()})

    @model_validator(mode="after")
    def _names_are_distinct(self) -> FeatureSet:
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise ValueError(f"feature {repeated[0]!r} is listed more than once; list each column once")
        if not self.columns:
            raise ValueError("the feature set has no columns; list at least one under `numeric` or `categorical`")
        return self


EMBEDDING_COLUMNS = tuple(f"image_embedding_{index:02d}" for index in range(64))

DEFAULT_FEATURES = FeatureSet(
    numeric=(
        "length_cm",
        "width_cm",
        "height_cm",
        "weight_kg",
        "price_usd",
        "volume_l",
        "density_kg_per_l",
        "longest_side_cm",
        "middle_side_cm",
        "shortest_side_cm",
        "girth_cm",
        "flatness",
        "elongation",
        "price_per_kg_usd",
        "title_words",
        *EMBEDDING_COLUMNS,
    ),
    categorical=("category", "subcategory", "product_type", "brand", "liquid"),
)
"""The 15 measures, the 64 values of the image embedding as plain numbers, and the five categories."""


class FeatureExtractParams(BaseModel):
    """What an extract of features has to keep to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: NaiveDatetime = Field(description="End of the window, exclusive, UTC: no product version as new as this.")
    columns: tuple[str, ...] = Field(
        default=DEFAULT_FEATURES.columns, description="Features that every part must have."
    )
    order: tuple[Literal["updated_at", "product_id"], ...] = Field(
        default=("product_id",), min_length=1, description="The columns in which rows must strictly increase."
    )


def keep_features(inputs: Mapping[str, Path], params: FeatureExtractParams, output: Path) -> None:
    """Check an extract of product features part by part and keep it, one row per product.

    Args:
        inputs: `extract`: Parquet parts in the order of `params.order`, with `product_id`, `updated_at`, the features
            of `params.columns` and the four `fits_*`.
        params: the end of the window, the order and the features asked for.
        output: gets the same parts under the names part-00000.parquet, part-00001.parquet, ...

    Raises:
        FeatureError: there is no part, a column is absent, the rows do not strictly increase, or a product version is
            not older than `params.as_of`.
    """
    required = ("product_id", "updated_at", *params.columns, *FIT_COLUMNS.values())
    last = None
    for number, (part, table) in enumerate(read_ahead(_read_order(_parts_of(inputs["extract"]), required))):
        last = _check_rows_increase(part, table, last, params.order)
        _check_older_than(part, table, params)
        _link_or_copy(part, output / part_name(number))


def _read_order(parts: Iterable[Path], required: Sequence[str]) -> Iterator[tuple[Path, pa.Table]]:
    """Of each part, which must have the columns required, those by which rows are in order."""
    for part in parts:
        _check_columns_present(part, required)
        yield part, read_parquet(part, ("product_id", "updated_at"))


def read_features(
    folder: Path,
    features: FeatureSet,
    *,
    product_ids: pa.Array | pa.ChunkedArray | None = None,
    extra_columns: Sequence[str] = (),
) -> pa.Table:
    """Read `product_id`, the columns of `features` and `extra_columns`, categorical ones as dictionary arrays.

    The scores of other models are not read: whoever has those models adds them to the table.

    Args:
        folder: Parquet parts in the order of `product_id`.
        features: the columns to read.
        product_ids: read these products only; ascending and distinct. Default: all.
        extra_columns: further columns, such as `fits_box`.

    Returns:
        One row per product, in the order of `product_id`.

    Raises:
        FeatureError: a column is absent, or a product of `product_ids` is.
    """
    tables = (
        table if product_ids is None else table.filter(pc.is_in(table["product_id"], value_set=product_ids))
        for table in iterate_features(folder, features, extra_columns=extra_columns)
    )
    table = pa.concat_tables(tables)
    if product_ids is not None:
        check_all_there(folder, table, product_ids)
    return table


def check_all_there(folder: Path, table: pa.Table, product_ids: pa.Array | pa.ChunkedArray) -> None:
    """Make sure that `table`, read from `folder`, has a row for each of the products asked for.

    Raises:
        FeatureError: it lacks one.
    """
    if len(table) != len(product_ids):
        missing = pc.filter(product_ids, pc.invert(pc.is_in(product_ids, value_set=table["product_id"])))
        first = f", {missing[0].as_py()!r} among them" if len(missing) else ""
        raise FeatureError(
            f"{folder} has {len(table)} rows for {len(product_ids)} products asked for{first}; "
            "materialize the features of the same partition again"
        )


def iterate_features(
    folder: Path, features: FeatureSet, *, extra_columns: Sequence[str] = (), every: int = 1
) -> Iterator[pa.Table]:
    """The tables of `read_features`, one part at a time.

    Of one row group in `every` only, counted through all parts: a part that has none of these is left out.
    """
    wanted = ("product_id", *features.inventory_columns, *extra_columns)
    columns = tuple(dict.fromkeys(wanted))  # the title may be asked for twice, as a feature and to look for drift
    for part, groups in one_group_in(every, _parts_of(folder)):
        _check_columns_present(part, columns)
        if groups or every == 1:
            chosen = None if every == 1 else groups
            yield read_parquet(part, columns, dictionary=features.categorical, groups=chosen, use_threads=False)


def title_column(folder: Path) -> tuple[str, ...]:
    """("title",) if the Parquet parts in `folder` have titles, else ()."""
    return (TITLE,) if TITLE in read_column_names(_parts_of(folder)[0]) else ()


def feature_frame(table: pa.Table, features: FeatureSet) -> pd.DataFrame:
    """The frame a learner sees: exactly `features.columns`, selected by name, in that order.

    Returns:
        Shape (rows, features): numbers as float32 with NaN for null, categorical columns as pandas categories without
        nulls (null becomes `MISSING`), texts as Arrow strings without nulls (null becomes "").

    Raises:
        FeatureError: a column is absent or of the wrong type: numbers must be integers or floats (no booleans),
            categories and texts must be strings.
    """
    import pandas as pd

    for name in features.columns:
        if name not in table.column_names:
            raise FeatureError(f"feature {name!r} is not in the table, which has {', '.join(table.column_names)}")
    columns: dict[str, object] = {name: _to_float32(name, table[name]) for name in features.numbers}
    columns |= {name: _to_categorical(name, table[name]) for name in features.categorical}
    columns |= {name: _to_text(name, table[name]) for name in features.text}
    rows = pd.RangeIndex(len(table))  # a frame without columns does not know how many there are
    return pd.DataFrame(columns, index=rows, copy=False)


def _to_float32(name: str, column: pa.ChunkedArray) -> np.ndarray:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise FeatureError(f"numeric feature {name!r} is of type {column.type}; expected integers or floats")
    return column.cast(pa.float32(), safe=False).to_numpy()


def _to_categorical(name: str, column: pa.ChunkedArray) -> pd.Categorical:
    import pandas as pd

    is_dictionary = pa.types.is_dictionary(column.type)
    value_type = column.type.value_type if is_dictionary else column.type
    if not (pa.types.is_string(value_type) or pa.types.is_large_string(value_type)):
        raise FeatureError(f"categorical feature {name!r} is of type {column.type}; expected strings")
    encoded = (column if is_dictionary else column.dictionary_encode()).unify_dictionaries().combine_chunks()
    values = encoded.dictionary.to_pylist()
    if MISSING not in values:
        values.append(MISSING)
    codes = encoded.indices.fill_null(values.index(MISSING)).to_numpy()
    return pd.Categorical.from_codes(codes, categories=pd.Index(values, dtype=object))


def _to_text(name: str, column: pa.ChunkedArray) -> pd.api.extensions.ExtensionArray:
    import pandas as pd

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise FeatureError(f"text feature {name!r} is of type {column.type}; expected strings")
    return pd.array(column.fill_null(""), dtype=pd.ArrowDtype(column.type))


def _parts_of(folder: Path) -> list[Path]:
    parts = list_parts(folder)
    if not parts:
        raise FeatureError(f"{folder} holds no Parquet file; materialize the extract again")
    return parts


def _check_columns_present(part: Path, required: Sequence[str]) -> None:
    present = read_column_names(part)
    absent = [name for name in required if name not in present]
    if absent:
        raise FeatureError(
            f"{part} lacks the column {absent[0]!r} ({len(absent)} of {len(required)} are absent); "
            "add it to the dbt model product_features, or take it out of the feature set"
        )


def _check_rows_increase(part: Path, table: pa.Table, last: pa.Table | None, order: Sequence[str]) -> pa.Table | None:
    """The part's last row, or that of the parts before if it has none."""
    rows = table if last is None else pa.concat_tables([last, table])
    is_increasing = is_before_next(rows, order)
    if not pc.all(is_increasing, min_count=0).as_py():
        row = pc.index(is_increasing, value=False).as_py()
        before, after = (", ".join(repr(rows[name][at].as_py()) for name in order) for at in (row, row + 1))
        names = " and ".join(order)
        raise FeatureError(
            f"{part}: {names} {after} comes after {before}; each product must appear once, ascending by {names}"
        )
    return rows.slice(len(rows) - 1) if len(rows) else None


def _check_older_than(part: Path, table: pa.Table, params: FeatureExtractParams) -> None:
    is_too_new = pc.greater_equal(table["updated_at"], pa.scalar(params.as_of, pa.timestamp("us")))
    row = pc.index(is_too_new, value=True).as_py()
    if row >= 0:
        raise FeatureError(
            f"{part}: product {table['product_id'][row].as_py()!r} was updated at {table['updated_at'][row].as_py()}, "
            f"which is not before {params.as_of}; the extract must hold what was known then"
        )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
