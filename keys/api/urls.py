from gateway_project.shared.rest import rest_paths
from keys.api.views import KeysView, KeyView

urlpatterns = [
    *rest_paths("api/key-management/keys", KeysView),
    *rest_paths("api/key-management/keys/<str:key_id>", KeyView),
]
