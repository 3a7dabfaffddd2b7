from gateway_project.shared.problems import BadRequest, Problem, RateLimitReached, ValidationFailed


def all_problems(kind: type[Problem] = Problem) -> set[type[Problem]]:
    return {kind}.union(*(all_problems(each) for each in kind.__subclasses__()))


def test_the_code_is_the_kinds_unless_given() -> None:
    assert BadRequest("no").code == "bad_request"
    assert BadRequest("no", code="bad_path").code == "bad_path"


def test_it_says_when_to_come_back_and_what_else_it_knows() -> None:
    problem = RateLimitReached("slowly", retry_after_s=3, extra={"limit": 2})
    assert (problem.retry_after_s, problem.extra, str(problem)) == (3, {"limit": 2}, "slowly")


def test_a_failed_validation_lists_its_fields() -> None:
    assert ValidationFailed("fields [name] are invalid", fields=("name",)).extra == {"fields": ["name"]}
    assert ValidationFailed("something").extra == {}


def test_every_kind_has_a_status_of_an_error_and_a_title() -> None:
    # Those of this module: other surfaces' own kinds keep the words of their documents.
    for kind in (each for each in all_problems() if each.__module__ == Problem.__module__):
        assert 400 <= kind.status < 600, kind
        assert kind.title == kind.title.lower(), kind
        assert kind.default_code.replace("_", "").isalpha(), kind
