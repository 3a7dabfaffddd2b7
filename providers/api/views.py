"""Provider settings over REST, as the seed has them."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.rest import AdminView, json_object, query_list
from providers import services
from providers.api.serializers import (
    SettingChangeSerializer,
    SettingCreateSerializer,
    SettingSerializer,
    changed_members,
    created_members,
    setting_object,
)
from providers.queries import list_settings, unknown_setting_ids


class SettingsView(AdminView):
    """All provider settings, and new ones."""

    @extend_schema(
        operation_id="get_provider_settings",
        parameters=[
            OpenApiParameter("ids", many=True, description="Only these, in this order; repeated, or with commas.")
        ],
        responses=SettingSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The settings with the ids, else all, oldest first; 404 for an id that is none."""
        ids = query_list(request, "ids")
        unknown = unknown_setting_ids(ids)
        if unknown:
            names = ", ".join(each[:64] for each in unknown[:10])
            raise services.SettingNotFound(f"provider setting is not found: {names}")
        return Response([setting_object(row) for row in list_settings(ids or None)])

    @extend_schema(operation_id="put_provider_setting", request=SettingCreateSerializer, responses=SettingSerializer)
    def put(self, request: Request) -> Response:
        """Store an account at a provider; its secrets are sealed and never shown again."""
        return self._create(request)

    @extend_schema(operation_id="create_provider_setting", request=SettingCreateSerializer, responses=SettingSerializer)
    def post(self, request: Request) -> Response:
        """The same as PUT."""
        return self._create(request)

    def _create(self, request: Request) -> Response:
        provider, setting, options = created_members(json_object(request))
        row = services.create_setting(provider=provider, setting=setting, **options)
        return Response(setting_object(row))


class SettingView(AdminView):
    """One provider setting."""

    @extend_schema(operation_id="update_provider_setting", request=SettingChangeSerializer, responses=SettingSerializer)
    def patch(self, request: Request, setting_id: str) -> Response:
        """Change what is sent; `setting` is merged by name. Another destination wants every secret again."""
        setting, options = changed_members(json_object(request))
        return Response(setting_object(services.update_setting(setting_id, setting=setting, **options)))
