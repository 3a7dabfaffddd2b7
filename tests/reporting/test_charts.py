"""Charts as JSON."""

import json

from reporting.charts import BLUE, RED, bars, lines


def test_bars_are_stacked_and_leave_out_what_never_happened() -> None:
    chart = bars("Requests", ["10:00", "11:00"], [("2xx", [1, 2], BLUE), ("5xx", [0, 0], RED)])
    data, options = json.loads(chart.data), json.loads(chart.options)
    assert [(each["label"], each["data"]) for each in data["datasets"]] == [("2xx", [1, 2])]
    assert data["labels"] == ["10:00", "11:00"]
    assert options["scales"]["y"]["stacked"] is True
    assert options["unit"] == "count"
    assert chart.kind == "bar"
    assert "2xx at 2 points" in chart.summary


def test_a_chart_of_nothing_still_has_its_first_series() -> None:
    data = json.loads(bars("Errors", ["10:00"], [("errors", [0], RED), ("refused", [0], BLUE)]).data)
    assert [each["label"] for each in data["datasets"]] == ["errors"]


def test_lines_have_gaps_where_nothing_happened() -> None:
    chart = lines("Latency", ["a", "b"], [("p50", [None, 12.0], BLUE)], unit="ms")
    assert json.loads(chart.data)["datasets"][0]["data"] == [None, 12.0]
    assert json.loads(chart.options)["unit"] == "ms"


def test_names_that_look_like_markup_stay_text() -> None:
    chart = bars("<script>", ["<b>"], [("</script>", [1], BLUE)])
    assert json.loads(chart.data)["labels"] == ["<b>"]
