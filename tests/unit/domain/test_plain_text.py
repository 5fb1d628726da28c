"""Texts of other people's, as one line."""

import pytest

from packaging_assets.domain.plain_text import first_line, one_line


def test_a_text_becomes_one_line_without_what_a_terminal_obeys() -> None:
    assert one_line("a\x1b[31mred\r\n\tbrand \u202e ") == "a [31mred brand"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("(OperationalError) disk I/O error\n[SQL: select 1]"), "(OperationalError) disk I/O error"),
        (RuntimeError("\n  it is so  \nand more"), "it is so  "),
        (TimeoutError(), "TimeoutError"),
        (ValueError("\n"), "ValueError"),
    ],
)
def test_of_an_error_the_first_line_is_told_else_its_name(error: Exception, line: str) -> None:
    assert first_line(error) == line
