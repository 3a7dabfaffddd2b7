"""A fake OpenAI-compatible provider: a real HTTP server for tests, demonstrations and benchmarks.

Run it with `python -m fake_upstream --port 8003`. Every endpoint answers under `/v1`, without a version, and under any
prefix that ends in `/v1`. Under `/openai` it plays Azure OpenAI: deployments, `api-key` or an Entra token (`eyJ…`), the
content filter. To who names an `anthropic-version` it plays Anthropic. A path nobody knows is echoed: method, path and
query come back as JSON. The model `does-not-exist` is a 404. Token counts are deterministic: a whitespace-separated
word is one token (never more than a real tokenizer counts), a chat message adds 4 and a chat request 3; each content
chunk of a stream is one token.

Directives change how one request is answered. They are written `name` or `name=number`, several joined by commas, and
given, strongest first,

* by the control endpoint for the next N requests: `POST /__control/faults {"fault": "429=2", "times": 3}`,
* by the header `x-fake-fault: slow=20,cut=5`,
* after an `@` in the model name: `gpt-4o-mini@cut=5` (the answer names the model without it).

Faults that answer with an error:

    429=S                    429 rate_limit_exceeded with `retry-after: S` (default 1)
    429-quota                429 insufficient_quota, without retry-after
    500-then-200=N           500 for the first N (default 1) requests with this body, then the answer, then anew
    503=S                    503 with `retry-after: S` (without a number: no such header)
    bad-status=N             status N (default 418) with an OpenAI error body
    reject-stream-options=N  status N (default 400) naming stream_options when the request has it, else the answer

Faults on the wire:

    hang=K                   never answers; in a stream, stops without closing after K content chunks
    drop                     closes the connection without a byte of answer
    cut=K                    TCP reset after K content chunks (default 3); a plain answer is reset after half its body
    cut-close=K              the same with an orderly close, the chunked body unfinished
    cut-clean=K              ends the body properly after K content chunks, without finish, usage or terminal event
    error-event=K            an in-band SSE error after K content chunks (default 3), then the end
    malformed=K              a plain answer that stops in the middle of its JSON; a stream with one broken event after K
    slow-first-byte=MS       waits before the status line (default 2000)
    slow=MS                  the pause between content chunks (default 200)
    huge=MB                  an answer of that many megabytes (default 10), plain or streamed
    empty                    200 and an empty body
    gzip                     `content-encoding: gzip`, asked for or not

What the answer says:

    no-usage                 never sends usage, even when asked
    tokens=N                 the answer has N tokens
    reasoning=N              N of the output tokens are reasoning tokens, beside the text
    cached=N                 N of the input tokens came from the provider's cache
    cache-write=N            N tokens were written to Anthropic's cache for 5 minutes
    cache-write-1h=N         N tokens were written to Anthropic's cache for an hour
    echo                     the answer repeats the last message
    snapshot                 names the dated snapshot of the model (`gpt-4o-mini-2024-07-18`)

Control endpoints, never recorded:

    GET  /__control/requests?limit=N   last requests, oldest first: method, target, headers, body, chunks, ending
    GET  /__control/connections        connections: opened, closed, by whom, after how many chunks
    GET  /__control/count              {"requests": n, "by_path": {...}, "open_connections": n}
    POST /__control/faults             {"fault": "...", "times": 1, "path": "/chat/completions"}: a queue; path optional
    POST /__control/options            {"require_key", "pause_ms", "tokens", "snapshots", "record"}: any of them
    POST /__control/reset              forgets requests, faults and stored objects; options return to those of the start
"""
