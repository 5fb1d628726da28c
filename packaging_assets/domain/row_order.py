"""Whether rows are in a total order, and putting them in it."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

MAX_STRETCHES = 64
"""Stretches that are put in order as wholes; where there are more, rows are."""


def is_before_next(rows: pa.Table, order: Sequence[str]) -> pa.Array:
    """Whether each row but the last is less than the next one, compared by the columns of `order` one after the other.

    Texts are compared by their bytes in UTF-8. A row with a null is in no order.

    Returns:
        Booleans without null, shape (rows - 1,), or none for no rows.
    """
    is_before = _is_less(rows, order)
    return pc.fill_null(is_before, fill_value=False)


def _is_less(rows: pa.Table, order: Sequence[str]) -> pa.Array:
    """As `is_before_next`, null where a null makes it so. Texts take long to compare, so it is done if it must be."""
    name, *others = order
    column = rows[name].combine_chunks()
    is_less = pc.less(column[:-1], column[1:])
    if not others:
        return is_less
    is_equal = pc.equal(column[:-1], column[1:])
    if not any(rows[other].null_count for other in others) and not pc.any(is_equal, min_count=0).as_py():
        return is_less
    return pc.or_(is_less, pc.and_(is_equal, _is_less(rows, others)))


def in_order(rows: pa.Table, order: Sequence[str]) -> pa.Table:
    """The rows in this order, which is total.

    Rows that come in order already, or in stretches that are, as from a database with several threads, are not moved.
    """
    starts = [0, *(pc.indices_nonzero(pc.invert(is_before_next(rows, order))).to_numpy() + 1).tolist()]
    if len(starts) == 1:
        return rows
    ends = [*starts[1:], len(rows)]
    stretches = [rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]
    if len(stretches) <= MAX_STRETCHES:
        first_rows = [tuple(stretch[name][:1].to_pylist() for name in order) for stretch in stretches]
        rows = pa.concat_tables([stretches[at] for at in sorted(range(len(stretches)), key=first_rows.__getitem__)])
        if pc.all(is_before_next(rows, order), min_count=0).as_py():
            return rows
    return rows.sort_by([(name, "ascending") for name in order])
