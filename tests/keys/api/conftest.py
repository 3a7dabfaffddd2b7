"""Keys over the admin REST, with an OpenAI setting to use."""

import pytest

from tests.keys.api.keys_over_rest import Keys


@pytest.fixture
def keys(setting_id: str) -> Keys:
    return Keys(setting_id)
