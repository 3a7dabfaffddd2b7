import pytest

from gateway_project.shared.durations import parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1s", 1),
        ("1h30m", 5400),
        ("300ms", 0.3),
        ("2d", 172_800),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("10us", 1e-5),
    ],
)
def test_it_reads_what_the_seed_writes(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1x", "1s!", "1 s", "one", "١s"])
def test_it_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_s(text)
