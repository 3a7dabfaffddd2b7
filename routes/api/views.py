"""Routes over REST, as the seed has them, and what it lacks: changing one, and purging its cache."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.rest import AdminView, json_object
from routes import services
from routes.api.serializers import (
    RouteChangeSerializer,
    RouteCreateSerializer,
    RouteSerializer,
    changed_fields,
    created_fields,
)
from routes.queries import find_routes, get_route, route_object


class RoutesView(AdminView):
    """All routes, and new ones."""

    @extend_schema(operation_id="get_routes", responses=RouteSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All routes, oldest first."""
        return Response([route_object(route) for route in find_routes()])

    @extend_schema(operation_id="create_route", request=RouteCreateSerializer, responses=RouteSerializer)
    def post(self, request: Request) -> Response:
        """Create a route. It can be called within a second, at /api/routes and its path on the proxy."""
        return Response(route_object(services.create_route(**created_fields(json_object(request)))))


class RouteView(AdminView):
    """One route."""

    @extend_schema(operation_id="get_route", responses=RouteSerializer)
    def get(self, request: Request, route_id: str) -> Response:
        return Response(route_object(get_route(route_id)))

    @extend_schema(operation_id="update_route", request=RouteChangeSerializer, responses=RouteSerializer)
    def patch(self, request: Request, route_id: str) -> Response:
        """Change what is given. The change reaches traffic within a second."""
        return Response(route_object(services.update_route(route_id, **changed_fields(json_object(request)))))

    @extend_schema(operation_id="delete_route", responses={200: None})
    def delete(self, request: Request, route_id: str) -> Response:
        """Delete a route; its events stay. A route that is not there is as good as deleted."""
        services.delete_route(route_id)
        return Response()


class RouteCacheView(AdminView):
    """The answers that a route keeps."""

    @extend_schema(operation_id="purge_route_cache", responses={200: None})
    def delete(self, request: Request, route_id: str) -> Response:
        """Purge: within a second no answer that is kept now is found again."""
        services.purge_cache(route_id)
        return Response()
