"""CSV files that no spreadsheet runs."""

import csv
import io

import pytest

from gateway_project.admin_pages.csv_export import cell, csv_response


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_looks_like_a_formula_is_quoted(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0, "0"), ("a=b", "a=b"), (1.5, "1.5"), (True, "True")])
def test_anything_else_is_left_alone(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_file_is_read_back_as_it_was_written() -> None:
    rows = [["a,b", 'say "x"'], ["line\nbreak", "é"]]
    response = csv_response("keys", ["one", "two"], rows)
    text = response.content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["one", "two"], *rows]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
