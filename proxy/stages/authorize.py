"""May the key use this path?"""

from gateway_project.shared.problems import PermissionDenied
from keys.records import KeyRecord
from proxy.flow import IncomingRequest
from proxy.paths import is_allowed


def authorize(request: IncomingRequest, key: KeyRecord) -> None:
    """Raises PermissionDenied when the key's allowedPaths do not hold the method and path."""
    if not is_allowed(key.allowed_paths, request.method, request.path):
        raise PermissionDenied(f"{request.method} {request.path} is not allowed for this key.", code="path_not_allowed")
