"""Keys over REST, as the seed has them."""

from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared import clock
from gateway_project.shared.rest import AdminView, json_object, query_list, query_number
from keys import services
from keys.api.serializers import KeyChangeSerializer, KeyCreateSerializer, KeySerializer, changed_fields, created_fields
from keys.queries import KeyFilter, find_keys, key_object

PAGE_KEYS = 1000


class KeysView(AdminView):
    """All keys, and new ones."""

    @extend_schema(
        operation_id="get_keys",
        parameters=[
            OpenApiParameter("tag", description="Keys with this tag."),
            OpenApiParameter("tags", many=True, description="Keys with all of these tags; repeated, or with commas."),
            OpenApiParameter("provider", description="Keys with a setting of this provider."),
            OpenApiParameter("keyIds", many=True, description="These keys; repeated, or with commas."),
            OpenApiParameter("limit", int, description=f"At most this many, {PAGE_KEYS} at most and by default."),
            OpenApiParameter("offset", int, description="Leave out this many of the oldest."),
        ],
        responses=KeySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The keys that meet every condition, oldest first. `x-total-count` says how many there are, `link` where
        the next page is."""
        limit = query_number(request, "limit", maximum=PAGE_KEYS) or PAGE_KEYS
        offset = query_number(request, "offset")
        keys = find_keys(_wanted(request))
        total = keys.count()
        page = keys[offset : offset + limit]
        headers = {"X-Total-Count": str(total)}
        if offset + len(page) < total and page:
            headers["Link"] = f'<{_page_address(request, offset + limit, limit)}>; rel="next"'
        at = clock.now()
        return Response([key_object(key, at) for key in page], headers=headers)

    @extend_schema(operation_id="create_key", request=KeyCreateSerializer, responses=KeySerializer)
    def put(self, request: Request) -> Response:
        """Create a key with a secret of the caller's choice. Nobody can read the secret again."""
        secret, fields = created_fields(json_object(request))
        key, _ = services.create_key(secret=secret, **fields)
        return Response(key_object(key, clock.now()))


class KeyView(AdminView):
    """One key."""

    @extend_schema(operation_id="update_key", request=KeyChangeSerializer, responses=KeySerializer)
    def patch(self, request: Request, key_id: str) -> Response:
        """Change what is given. The change reaches traffic within a second."""
        key = services.update_key(key_id, **changed_fields(json_object(request)))
        return Response(key_object(key, clock.now()))

    @extend_schema(operation_id="delete_key", responses={200: None})
    def delete(self, request: Request, key_id: str) -> Response:
        """Delete a key, at once; its events stay. A key that is not there is as good as deleted."""
        services.delete_key(key_id)
        return Response()


def _wanted(request: Request) -> KeyFilter:
    return KeyFilter(
        tags=[*filter(None, request.query_params.getlist("tag")), *query_list(request, "tags")],
        ids=query_list(request, "keyIds") or None,
        provider=request.query_params.get("provider", "").strip(),
    )


def _page_address(request: Request, offset: int, limit: int) -> str:
    """Relative, since what the gateway is called from outside is not known here."""
    query = [(name, value) for name, values in request.query_params.lists() for value in values]
    kept = [(name, value) for name, value in query if name not in ("limit", "offset")]
    return f"{request.path}?{urlencode([*kept, ('limit', limit), ('offset', offset)])}"
