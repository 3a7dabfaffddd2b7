"""CSV files that a spreadsheet can open without running what a client wrote into a field."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.http import HttpResponse

from gateway_project.shared import clock

MAX_ROWS = 50_000
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A file to download, named for what it holds and when."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    moment = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%d-%H%M%S")
    headers = {"Content-Disposition": f'attachment; filename="{name}-{moment}.csv"', "Cache-Control": "no-store"}
    # utf-8-sig: spreadsheets take a file without the mark for something else than UTF-8.
    return HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8", headers=headers)


def cell(value: object) -> str:
    """A value as text; what looks like a formula gets a quote in front, which spreadsheets take for "this is text"."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
