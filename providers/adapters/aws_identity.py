"""The gateway's own AWS identity, for settings without credentials: read here, kept fresh by proxy/aws_chain.py."""

from gateway_project.shared.problems import Unavailable
from providers.adapters.aws_signing import AwsCredentials


class AwsIdentity:
    """What the standard chain (environment, profile, web identity, role) has found. Of the whole process."""

    def __init__(self) -> None:
        self._current: AwsCredentials | None = None

    def take(self, credentials: AwsCredentials | None) -> None:
        """Use these from now on; None: there are none."""
        self._current = credentials

    def credentials(self) -> AwsCredentials:
        """Raises Unavailable while there are none."""
        if self._current is None:
            raise Unavailable(
                "The setting has no AWS credentials, and the gateway has found none of its own.",
                code="aws_credentials_missing",
                retry_after_s=5,
            )
        return self._current


IDENTITY = AwsIdentity()
