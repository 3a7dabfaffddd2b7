import pytest

from gateway_project.shared.problems import Problem
from reporting.api import problems

OURS = [
    each
    for each in vars(problems).values()
    if isinstance(each, type) and issubclass(each, Problem) and each.__module__ == problems.__name__
]


@pytest.mark.parametrize("problem", OURS)
def test_each_has_a_code_and_title_of_its_own_and_is_the_callers_fault(problem: type[Problem]) -> None:
    assert problem.status == 400
    assert problem.title != Problem.title
    assert [each.default_code for each in OURS].count(problem.default_code) == 1
