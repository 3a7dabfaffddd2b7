from gateway_project.shared.rest import rest_paths
from providers.api.custom_views import CustomProvidersView, CustomProviderView
from providers.api.views import SettingsView, SettingView

urlpatterns = [
    *rest_paths("api/provider-settings", SettingsView),
    *rest_paths("api/provider-settings/<str:setting_id>", SettingView),
    *rest_paths("api/custom/providers", CustomProvidersView),
    *rest_paths("api/custom/providers/<str:provider_id>", CustomProviderView),
]
