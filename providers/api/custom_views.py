"""Custom providers over REST, as the seed has them; reading one and deleting it are ours."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.rest import AdminView, json_object
from providers import custom_services
from providers.api.custom_serializers import (
    CustomProviderChangeSerializer,
    CustomProviderCreateSerializer,
    CustomProviderSerializer,
    custom_provider_object,
)
from providers.custom_queries import get_custom_provider, list_custom_providers


class CustomProvidersView(AdminView):
    """All custom providers, and new ones."""

    @extend_schema(operation_id="get_custom_providers", responses=CustomProviderSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All of them, oldest first."""
        return Response([custom_provider_object(row) for row in list_custom_providers()])

    @extend_schema(
        operation_id="create_custom_provider",
        request=CustomProviderCreateSerializer,
        responses=CustomProviderSerializer,
    )
    def post(self, request: Request) -> Response:
        """Describe a provider; store a provider setting for it next."""
        body = json_object(request)
        row = custom_services.create_custom_provider(
            provider=body.get("provider"),
            route_configs=body.get("route_configs"),
            authentication_param=body.get("authentication_param"),
        )
        return Response(custom_provider_object(row))


class CustomProviderView(AdminView):
    """One custom provider."""

    @extend_schema(operation_id="get_custom_provider", responses=CustomProviderSerializer)
    def get(self, request: Request, provider_id: str) -> Response:
        """One by its id."""
        return Response(custom_provider_object(get_custom_provider(provider_id)))

    @extend_schema(
        operation_id="update_custom_provider",
        request=CustomProviderChangeSerializer,
        responses=CustomProviderSerializer,
    )
    def patch(self, request: Request, provider_id: str) -> Response:
        """Change what is sent. When a path leads to another host, its settings' secrets have to be entered again."""
        body = json_object(request)
        row = custom_services.update_custom_provider(
            provider_id,
            route_configs=body.get("route_configs"),
            authentication_param=body.get("authentication_param"),
        )
        return Response(custom_provider_object(row))

    @extend_schema(operation_id="delete_custom_provider", responses={200: None})
    def delete(self, request: Request, provider_id: str) -> Response:
        """Delete it, once no provider setting is stored for it."""
        custom_services.delete_custom_provider(provider_id)
        return Response()
