"""Keys over the admin REST."""

from typing import Any
from uuid import uuid4

from tests.rest_resource import RestClient

PATH = "/api/key-management/keys"
POLICY = "6a0f7a30-1c8e-4b0a-9a3e-1f2e3d4c5b6a"
NOBODY = "00000000-0000-4000-8000-000000000000"


class Keys:
    """Creates and changes keys over REST."""

    def __init__(self, setting_id: str) -> None:
        self.setting_id = setting_id
        self.rest = RestClient()

    def put(self, **members: Any) -> Any:
        body = {"name": "a key", "key": f"secret {uuid4()}", "settingIds": [self.setting_id], **members}
        return self.rest.put(PATH, **{name: value for name, value in body.items() if value is not ...})

    def make(self, **members: Any) -> dict[str, Any]:
        response = self.put(**members)
        assert response.status_code == 200, response.content
        made: dict[str, Any] = response.json()
        return made

    def patch(self, made: dict[str, Any], /, **members: Any) -> Any:
        return self.rest.patch(f"{PATH}/{made['keyId']}", **members)

    def changed(self, made: dict[str, Any], /, **members: Any) -> dict[str, Any]:
        response = self.patch(made, **members)
        assert response.status_code == 200, response.content
        changed: dict[str, Any] = response.json()
        return changed

    def found(self, query: str = "") -> list[str]:
        response = self.rest.get(f"{PATH}?{query}")
        assert response.status_code == 200, response.content
        return [key["name"] for key in response.json()]
