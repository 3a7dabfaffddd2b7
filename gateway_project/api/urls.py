from gateway_project.api.views import HealthView, ReadyView
from gateway_project.shared.rest import rest_paths

urlpatterns = [
    *rest_paths("api/health", HealthView),
    *rest_paths("ready", ReadyView),
]
