"""Error answers in OpenAI's words."""

import orjson

from fake_upstream.messages import Reply


def error_body(message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's error document."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def bad_request(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Reply:
    """A request the provider does not accept."""
    return Reply(error_body(message, kind="invalid_request_error", param=param, code=code), status)


def missing(param: str) -> Reply:
    """A required parameter that was not sent."""
    message = f"Missing required parameter: '{param}'."
    return bad_request(message, param=param, code="missing_required_parameter")


def unknown_model(model: str) -> Reply:
    """A model the account cannot use."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return bad_request(message, code="model_not_found", status=404)


def not_found(kind: str, name: str) -> Reply:
    """A stored object that is not there."""
    return bad_request(f"No {kind} found with id '{name}'.", param="id", status=404)


def unauthorized(given: str) -> Reply:
    """No key, or a wrong one (shown shortened, as the provider does)."""
    if not given:
        text = "You didn't provide an API key. You need to provide your API key in an Authorization header."
        reply = Reply(error_body(text, kind="invalid_request_error"), 401)
    else:
        shown = f"{given[:3]}{'*' * 8}{given[-4:]}"
        text = f"Incorrect API key provided: {shown}. You can find your API key in your account settings."
        reply = bad_request(text, code="invalid_api_key", status=401)
    reply.headers["www-authenticate"] = 'Bearer realm="OpenAI API"'
    return reply


def rate_limited(retry_after_s: int | None) -> Reply:
    """Too many requests for now."""
    text = "Rate limit reached for requests. Limit: 3 / min. Please try again in 1s."
    headers = {
        "retry-after": f"{retry_after_s}",
        "retry-after-ms": f"{1000 * (retry_after_s or 0)}",
        "x-ratelimit-remaining-requests": "0",
    }
    return Reply(error_body(text, kind="requests", code="rate_limit_exceeded"), 429, headers=headers)


def out_of_quota() -> Reply:
    """Too many requests for good: the account has no money."""
    text = "You exceeded your current quota, please check your plan and billing details."
    return Reply(error_body(text, kind="insufficient_quota", code="insufficient_quota"), 429)


def server_error(status: int = 500, retry_after_s: int | None = None) -> Reply:
    """The provider failed."""
    texts = {500: "The server had an error while processing your request. Sorry about that!"}
    text = texts.get(status, "The engine is currently overloaded, please try again later.")
    headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s}"}
    return Reply(error_body(text, kind="server_error"), status, headers=headers)
