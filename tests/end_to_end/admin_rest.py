"""The admin REST as an operator's script uses it: plain HTTP against a running gateway."""

from typing import Any

import httpx


class AdminRest:
    """Every method raises AssertionError with the answer when the gateway refuses. password: ADMIN_PASS, if set."""

    def __init__(self, url: str, password: str = "") -> None:
        self.password = password
        headers = {"x-api-key": password} if password else {}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False)

    def new_setting(self, url: str, apikey: str = "sk-of-the-provider", **members: Any) -> str:
        """The id of a setting that leads to `url`."""
        body = {"provider": "openai", "setting": {"apikey": apikey, "url": url}, **members}
        return str(self.put("/api/provider-settings", body)["id"])

    def new_key(self, secret: str, setting_id: str, **members: Any) -> str:
        """The id of a key."""
        body = {"name": "a test's", "key": secret, "settingIds": [setting_id], **members}
        return str(self.put("/api/key-management/keys", body)["keyId"])

    def change_key(self, key_id: str, **members: Any) -> None:
        self.patch(f"/api/key-management/keys/{key_id}", members)

    def put(self, path: str, body: Any) -> Any:
        return self._told("PUT", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self._told("PATCH", path, body)

    def post(self, path: str, body: Any) -> Any:
        return self._told("POST", path, body)

    def get(self, path: str, **query: Any) -> Any:
        return self._told("GET", path, None, query)

    def delete(self, path: str) -> None:
        self._told("DELETE", path, None)

    def close(self) -> None:
        self.client.close()

    def _told(self, method: str, path: str, body: Any, query: Any = None) -> Any:
        answer = self.client.request(method, path, json=body, params=query)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
