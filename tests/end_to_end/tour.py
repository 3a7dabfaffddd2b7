"""Uses everything a gateway has, right and wrong, and keeps every answer, to be searched for secrets afterwards."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from psycopg import sql

from tests.end_to_end.callers import CHAT_PATH

V1 = "/api/providers/openai/v1"
CHAT = {"model": "gpt-4o-mini", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
# How the fake upstream fails, each with a plain answer and with a stream.
FAULTS = (
    *("429=2", "429-quota", "503=1", "bad-status=404", "drop", "cut=2", "cut-close=2", "cut-clean=2"),
    *("error-event=2", "malformed=2", "empty", "gzip", "no-usage", "hang=0"),
)


@dataclass
class Kept:
    """What was found where: every answer with its headers, logs, files, tables."""

    places: list[tuple[str, bytes]] = field(default_factory=list)

    def client(self, url: str, **options: Any) -> httpx.Client:
        """Keeps whatever it is answered."""
        hooks = {"response": [self._keep_answer]}
        return httpx.Client(base_url=url, event_hooks=hooks, timeout=20, trust_env=False, **options)

    def _keep_answer(self, answer: httpx.Response) -> None:
        answer.read()
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items())
        self.places.append((f"{answer.request.method} {answer.url} {answer.status_code}", head.encode()))
        self.places.append((f"the body of {answer.request.method} {answer.url}", answer.content))
        assert answer.status_code not in {500, 501}, f"{answer.request.method} {answer.url}: {answer.text[:500]}"

    def add(self, place: str, content: str | bytes) -> None:
        self.places.append((place, content.encode() if isinstance(content, str) else content))

    def add_files(self, directory: Path, *, but: tuple[str, ...]) -> None:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name not in but:
                self.add(f"the file {path.relative_to(directory)}", path.read_bytes())

    def add_tables(self, postgres_url: str, sqlite_file: Path) -> None:
        """Every row of every table as text. The SQLite file is kept as it lies, too."""
        if postgres_url:
            with psycopg.connect(postgres_url) as connection:
                names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
                for (name,) in names:
                    query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))
                    rows = connection.execute(query).fetchall()
                    self.add(f"the table {name}", "\n".join(row for (row,) in rows))
        else:
            with closing(sqlite3.connect(sqlite_file)) as connection:
                self.add("the SQLite database", "\n".join(connection.iterdump()))
            self.add("the SQLite file", sqlite_file.read_bytes())

    def add_redis(self, url: str) -> None:
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter():
                self.add("a name in Redis", key)
                if client.type(key) != b"stream":
                    self.add(f"{key!r} in Redis", client.dump(key) or b"")


def visit_the_rest(kept: Kept, url: str, password: str, secrets: dict[str, str]) -> dict[str, str]:
    """Every endpoint of the admin REST, with success and with every kind of mistake. The ids that it made.

    secrets: provider, replacement, azure, bedrock, key: what to send as each.
    """
    with kept.client(url, headers={"x-api-key": password} if password else {}) as client:
        ids = _visit_settings(client, secrets)
        ids |= _visit_keys(client, ids["setting"], secrets["key"])
        key: dict[str, Any] = {"keyIds": ids["key"], "start": 1, "end": 2**40}
        assert client.get("/api/events", params=key).status_code == 200
        client.get("/api/events")
        client.get("/api/events", params={**key, "start": secrets["key"]})
        client.post("/api/reporting/events", json={"keyIds": [ids["key"]], "start": 1, "end": 2, "increment": 1})
        client.post("/api/reporting/events", json={"filters": ["secret"]})
        client.get(f"/api/reporting/keys/{ids['key']}")
        client.get("/api/reporting/keys/none")
        for path in ("/api/health", "/ready", "/api/openapi.json", "/api/docs/", "/api/nothing", "/"):
            client.get(path)
    return ids


def _visit_settings(client: httpx.Client, secrets: dict[str, str]) -> dict[str, str]:
    path, provider = "/api/provider-settings", secrets["provider"]
    upstream = secrets["upstream"]
    first = client.put(path, json={"provider": "openai", "setting": {"apikey": provider, "url": upstream}})
    assert first.status_code == 200, first.text
    client.post(path, json={"provider": "azure", "setting": {"apikey": secrets["azure"], "resourceName": "name"}})
    bedrock = {"awsAccessKeyId": "AKIA", "awsSecretAccessKey": secrets["bedrock"], "awsRegion": "us-east-1"}
    assert client.post(path, json={"provider": "bedrock", "setting": bedrock}).status_code == 200
    mistakes: list[Any] = [
        {"provider": "openai", "setting": {"apikey": [provider]}},
        {"provider": "openai", "setting": provider},
        {"provider": "openai", "apikey": provider},
        {"provider": "nobody", "setting": {"apikey": provider}},
        {"provider": "openai", "setting": {"apikey": f"{provider}\n"}},
        {"provider": "openai", "setting": {"apikey": provider, "apiKey": f"{provider}2"}},
        {"provider": "openai", "setting": {"apikey": provider, "url": f"http://me:{provider}@127.0.0.1"}},
        {"provider": "openai", "setting": {"apikey": provider, "url": f"{provider}://127.0.0.1"}},
        {"provider": "openai", "setting": {"apikey": provider * 500}},
        {"provider": "openai", "setting": {"apikey": provider}, "allowedModels": 5},
        [provider],
    ]
    for mistake in mistakes:
        assert client.put(path, json=mistake).status_code == 400, mistake
    assert client.put(path, content=f'{{"setting": {{"apikey": "{provider}"').status_code == 400
    assert client.put(path, content=f"apikey={provider}", headers={"content-type": "text/plain"}).status_code >= 400
    extra = {"provider": "openai", "setting": {"apikey": provider, "somethingElse": provider}}
    client.put(path, json=extra)
    setting_id = first.json()["id"]
    one = f"{path}/{setting_id}"
    assert client.patch(one, json={"setting": {"apikey": secrets["replacement"]}}).status_code == 200
    assert client.patch(one, json={"setting": {"url": "http://127.0.0.1:1"}}).status_code == 400
    assert client.patch(one, json={"setting": {"apikey": 5}}).status_code == 400
    assert client.patch(f"{path}/none", json={"setting": {"apikey": provider}}).status_code == 404
    client.get(path)
    client.get(path, params={"ids": setting_id})
    client.get(path, params={"ids": "none"})
    return {"setting": setting_id}


def _visit_keys(client: httpx.Client, setting_id: str, secret: str) -> dict[str, str]:
    path = "/api/key-management/keys"
    body = {"name": "first", "key": secret, "settingIds": [setting_id], "shouldLogRequest": True}
    first = client.put(path, json={**body, "shouldLogResponse": True, "tags": ["toured"]})
    assert first.status_code == 200, first.text
    mistakes: list[Any] = [
        body,
        {**body, "key": [secret]},
        {**body, "key": f"{secret}\n"},
        {**body, "key": secret * 50},
        {**body, "key": f"{secret} other", "settingIds": ["none"]},
        {**body, "key": f"{secret} other", "ttl": "soon"},
        {**body, "key": f"{secret} other", "rateLimitOverTime": 1},
        [secret],
    ]
    for mistake in mistakes:
        assert client.put(path, json=mistake).status_code == 400, mistake
    client.put(path, content=f'{{"key": "{secret}"')
    one = f"{path}/{first.json()['keyId']}"
    assert client.patch(one, json={"name": "toured"}).status_code == 200
    assert client.patch(one, json={"key": secret, "name": 5}).status_code == 400
    client.get(path, params={"tag": "toured"})
    client.get(path, params={"keyIds": first.json()["keyId"]})
    client.delete(f"{path}/none")
    return {"key": first.json()["keyId"]}


def visit_the_proxy(kept: Kept, url: str, secrets: tuple[str, str], refused: dict[str, str]) -> None:
    """Successes with both secrets, and every kind of failure. refused: secrets of keys that are refused, by why."""
    secret, other_secret = secrets
    with kept.client(url) as client:
        bearer = {"authorization": f"Bearer {secret}"}
        _visit_paths(client, {"authorization": f"Bearer {other_secret}"})
        _visit_paths(client, bearer)
        for fault in FAULTS:
            headers = {**bearer, "x-fake-fault": fault, "x-request-timeout": "300ms"}
            for stream in (False, True):
                try:
                    client.post(CHAT_PATH, json={**CHAT, "stream": stream}, headers=headers)
                except httpx.TransportError:
                    continue  # the head of such an answer says nothing that the others do not
        for why, other in refused.items():
            answer = client.post(CHAT_PATH, json=CHAT, headers={"x-api-key": other})
            assert 400 <= answer.status_code < 500, (why, answer.text)
        assert client.post(CHAT_PATH, json=CHAT, headers={"authorization": secret}).status_code == 401
        assert client.post(CHAT_PATH, json=CHAT, headers={"api-key": f"{secret}2"}).status_code == 401


def _visit_paths(client: httpx.Client, bearer: dict[str, str]) -> None:
    for body in (CHAT, {**CHAT, "stream": True}):
        assert client.post(CHAT_PATH, json=body, headers=bearer).status_code == 200
        assert client.post(CHAT_PATH, json=body, headers={"api-key": bearer["authorization"][7:]}).status_code == 200
    assert client.get(f"{V1}/models", headers=bearer).status_code == 200
    embedding = {"model": "text-embedding-3-small", "input": "Hello"}
    assert client.post(f"{V1}/embeddings", json=embedding, headers=bearer).status_code == 200
    files: dict[str, Any] = {"file": ("a.jsonl", b"{}"), "purpose": (None, "batch")}
    assert client.post(f"{V1}/files", files=files, headers=bearer).status_code == 200
    assert client.get(f"{V1}/never/heard/of", headers=bearer).status_code == 200
    for content in (b"{", b'{"model": "a", "model": "b"}', b"[]"):
        headers = {**bearer, "content-type": "application/json"}
        assert client.post(CHAT_PATH, content=content, headers=headers).status_code == 400
    client.get(f"{V1}/../../secrets", headers=bearer)
    client.get("/nothing", headers=bearer)
    client.options(CHAT_PATH, headers={"origin": "https://page.example", "access-control-request-method": "POST"})
    for path in ("/api/health", "/ready"):
        client.get(path)


def visit_the_admin_site(kept: Kept, url: str, password: str) -> set[str]:
    """Sign in and open every page that a link leads to, a form of each kind and one row of each list."""
    with kept.client(url, follow_redirects=True) as client:
        token = client.get("/admin/login/").cookies["csrftoken"]
        form = {"username": "admin", "csrfmiddlewaretoken": token, "next": "/admin/"}
        client.post("/admin/login/", data={**form, "password": "not the password"})
        answer = client.post("/admin/login/", data={**form, "password": password})
        assert "sessionid" in client.cookies, answer.text
        seen: set[str] = set()
        waiting = {"/admin/"}
        while waiting:
            path = waiting.pop()
            seen.add(path)
            page = client.get(path)
            is_page = "html" in page.headers["content-type"]
            links = set(re.findall(r'href="(/admin/[^"#?]*)', page.text)) if is_page else set()
            waiting |= {link for link in links if "/logout" not in link} - seen - _more_rows(seen, links)
        return seen


def _more_rows(seen: set[str], links: set[str]) -> set[str]:
    """Links to further rows of lists of which one row was seen: pages of the same kind."""
    kinds = {_kind(path) for path in seen}
    more = set()
    for link in sorted(links):
        if link not in seen and _kind(link) in kinds:
            more.add(link)
        kinds.add(_kind(link))
    return more


def _kind(path: str) -> str:
    return re.sub(r"/[0-9a-f-]{36}/|/\d+/", "/ROW/", path)
