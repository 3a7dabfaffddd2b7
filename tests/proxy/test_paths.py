"""Tests of the paths that may pass, and of the rules that allow them to a key."""

import pytest

from gateway_project.shared.problems import BadRequest
from keys.records import PathRule
from proxy.paths import check_path, is_allowed

PREFIX = "/api/providers/openai/v1"

HOSTILE = [
    "/..",
    "/.",
    "/../x",
    "/./x",
    "/x/..",
    "/x/.",
    "/x/../y",
    "/x/./y",
    "/%2e%2e/x",
    "/%2E%2E/x",
    "/.%2e/x",
    "/%2e./x",
    "/%2e/x",
    "/x/%2e%2e",
    "/x/%2e",
    "/files%2f..%2fchat/completions",
    "/files%2F..%2Fchat",
    "/files/..%2fchat",
    "/files%2f%2e%2e%2fchat",
    "/files%2f../chat",
    "/files%2f..",
    "/..;/admin",
    "/..;x=y/admin",
    "/.;/admin",
    "/%2e%2e;/admin",
    "/..%3b/admin",
    "/x%2f..;/y",
    "//chat/completions",
    "/chat//completions",
    "/chat/completions//",
    "/chat/%2fcompletions",
    "/chat%2f/completions",
    "/chat%2f%2fcompletions",
    "/chat\\completions",
    "/..\\x",
    "/x%5c..%5cy",
    "/x%5Cy",
    "/x\x00y",
    "/x%00",
    "/x%00.json",
    "/x%0d%0aHost:%20evil",
    "/x%0a",
    "/x%09y",
    "/x%1f",
    "/x%7f",
    "/x y",
    "/x\ty",
    "/x\r\nHost: evil",
    "/x\x7f",
    "/mod\u00e9ls",
    "/\u002e\uff0e/x",
    "/x#fragment",
    "/%c0%ae%c0%ae/x",
    "/%c0%af",
    "/%c1%9c",
    "/%252e%252e/x",
    "/x%252fy",
    "/x%255cy",
    "/x%2500",
    "/%25%32%65/../x",
    "/v1/.%2E/models",
]

HARMLESS = [
    "",
    "/",
    "/models",
    "/models/",
    "/models/ft:gpt-4o:acme::7p4l",
    "/models/meta-llama/Llama-3:70b",
    "/models/meta-llama%2FLlama-3",
    "/models/a.b..c",
    "/models/...",
    "/models/.hidden",
    "/models/x.",
    "/files/file-abc/content",
    "/threads/thread_1/runs/run_2/steps",
    "/x;y=z/a",
    "/models/caf%C3%A9",
    "/x%20y",
    "/x%3Ay@z,(1)!*'~$&+=",
    "/100%25",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_path(PREFIX + path)
    assert caught.value.code == "bad_path"


@pytest.mark.parametrize("path", HARMLESS)
def test_every_other_path_passes(path: str) -> None:
    check_path(PREFIX + path)


def test_there_are_enough_hostile_paths() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize(
    ("rule", "path", "allowed"),
    [
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/b/", False),
        ("/a/b", "/a/bc", False),
        ("/a/b", "/A/b", False),
        ("/a/b", "/x/a/b", False),
        ("/threads/:thread_id", "/threads/t1", True),
        ("/threads/:thread_id", "/threads/t1/runs", False),
        ("/threads/:thread_id", "/threads/", False),
        ("/threads/:thread_id/runs/:run_id", "/threads/t1/runs/r1", True),
        ("/threads/:thread_id", "/threads/t1%2Fruns", True),
        ("/files*", "/files", True),
        ("/files*", "/files/f/content", True),
        ("/files*", "/filesystem", True),
        ("/files/*", "/files", False),
        ("/t/:id/*", "/t/1/x/y", True),
        ("/t/:id/*", "/t/1", False),
        ("/api/custom/providers/:provider/*wildcard", "/api/custom/providers/acme/v1/chat", True),
        ("/api/custom/providers/:provider/*wildcard", "/api/custom/providers/acme", False),
        ("/api/routes/*route", "/api/routes/prod/chat", True),
        ("/a*b", "/a*b", True),
        ("/a*b", "/axb", False),
        ("*", "/anything", True),
        ("/a.b", "/aXb", False),
        ("/a(b", "/a(b", True),
        ("/a\n", "/a", False),
    ],
)
def test_a_rule_is_exact_a_template_or_a_prefix(rule: str, path: str, allowed: bool) -> None:
    assert is_allowed((PathRule("GET", rule),), "GET", path) is allowed


def test_the_method_counts_too() -> None:
    rules = (PathRule("GET", "/a"), PathRule("POST", "/b"))
    assert [is_allowed(rules, method, path) for method in ("GET", "POST") for path in ("/a", "/b")] == [
        True, False, False, True,
    ]  # fmt: skip


def test_a_star_is_every_method() -> None:
    rules = (PathRule("*", "/a"),)
    assert [is_allowed(rules, method, path) for method in ("GET", "POST") for path in ("/a", "/b")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_a_newline_at_the_end_does_not_match() -> None:
    assert not is_allowed((PathRule("GET", "/a"),), "GET", "/a\n")


def test_without_rules_everything_is_allowed() -> None:
    assert is_allowed((), "PATCH", "/whatever")
