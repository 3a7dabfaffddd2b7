"""Tests of the gateway's own AWS identity."""

import pytest

from gateway_project.shared.problems import Unavailable
from providers.adapters.aws_identity import AwsIdentity
from providers.adapters.aws_signing import AwsCredentials


def test_nobody_is_somebody_else_while_there_is_no_identity() -> None:
    identity = AwsIdentity()
    with pytest.raises(Unavailable) as caught:
        identity.credentials()
    assert (caught.value.code, caught.value.retry_after_s) == ("aws_credentials_missing", 5)
    identity.take(AwsCredentials("AKIA", "secret"))
    assert identity.credentials().access_key == "AKIA"
    identity.take(None)
    with pytest.raises(Unavailable):
        identity.credentials()
