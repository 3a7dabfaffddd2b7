from gateway_project.shared.rest import rest_paths
from routes.api.views import RouteCacheView, RoutesView, RouteView

urlpatterns = [
    *rest_paths("api/routes", RoutesView),
    *rest_paths("api/routes/<str:route_id>", RouteView),
    *rest_paths("api/routes/<str:route_id>/cache", RouteCacheView),
]
